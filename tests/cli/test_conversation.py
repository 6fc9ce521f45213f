"""What a person sees: lines where there is no terminal, interims in place where there is one."""

import json
import re
from collections.abc import Mapping
from io import StringIO
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bridge.cli.conversation import ConversationPrinter
from bridge.events import DtmfReceived, Event, Overlap, Word
from bridge.outbox import call_header
from tests.fakes import words
from tests.fakes.waiting import until


def call(call_id: str = "CA1") -> Mapping[str, Any]:
    return json.loads(call_header(words.started(call_id)))  # type: ignore[no-any-return]


def feed(conversation: ConversationPrinter, *events: Event) -> None:
    for event in events:
        conversation.receive(call(event.call_id), json.loads(event.to_json()))


def printed(*events: Event) -> list[str]:
    out = StringIO()
    with ConversationPrinter(Console(file=out, width=100)) as conversation:
        feed(conversation, *events)
    return out.getvalue().splitlines()


def test_a_call_in_plain_lines() -> None:
    assert printed(
        words.started(),
        words.interim(),
        words.final(seq=2, start=1.25, text="Hello?"),
        words.final(seq=3, start=62.0, text="Good morning.", track="outbound"),
        words.ended(seq=4),
    ) == [
        "call CA1, inbound, from +15550001 to +15550002: caller and agent",
        "00:01.2  caller   Hello?",
        "01:02.0  agent    Good morning.",
        "01:00.0  call ended: stopped",
    ]


def test_lines_come_by_the_time_at_which_they_were_said() -> None:
    assert printed(
        words.interim(segment_id="s3", start=10.0, text="so"),
        words.final(seq=2, start=10.8, end=11.0, text="Yes.", track="outbound"),
        words.event("CA1", 3, DtmfReceived(track="inbound", digit="7", at=11.5)),
        words.final(seq=4, segment_id="s3", start=10.0, end=16.0, text="So what I wanted."),
        words.final(seq=5, start=17.0, text="Well.", track="outbound"),
    ) == [
        "00:10.0  caller   So what I wanted.",
        "00:10.8  agent    Yes.",
        "00:11.5  key 7 pressed (caller)",
        "00:17.0  agent    Well.",
    ]


def test_without_interims_too() -> None:
    assert printed(
        words.final(seq=2, start=10.8, end=11.0, text="Yes.", track="outbound"),
        words.final(seq=3, start=10.0, end=16.0, text="So what I wanted."),
    ) == ["00:10.0  caller   So what I wanted.", "00:10.8  agent    Yes."]


def test_what_comes_too_late_for_its_place_is_marked() -> None:
    assert printed(
        words.final(seq=2, start=10.0, text="One."),
        words.final(seq=3, start=21.0, text="Two.", track="outbound"),
        words.final(seq=4, start=3.0, text="Zero.", overlaps=[Overlap(segment_id="s9", start=3.0, end=4.0)]),
    ) == [
        "00:10.0  caller   One.",
        "00:03.0  caller   Zero.  (late)  (1.0 s over the other)",
        "00:21.0  agent    Two.",
    ]


def test_the_end_of_a_call_is_its_last_line_until_more_is_transcribed() -> None:
    assert printed(
        words.interim(segment_id="s9", start=1.0, text="never finished"),
        words.final(seq=2, start=5.0, text="Bye.", track="outbound"),
        words.ended(seq=3),
        words.final(seq=4, start=3.0, text="What was that?", source="backfill"),
        words.final(seq=5, start=7.0, text="Bye.", source="backfill"),
    ) == [
        "00:05.0  agent    Bye.",
        "01:00.0  call ended: stopped",
        "00:03.0  caller   What was that?  (late)",
        "00:07.0  caller   Bye.",
    ]


def test_calls_at_once_wait_for_themselves_only() -> None:
    assert printed(
        words.started("CA1111"),
        words.interim("CA1111", segment_id="s3", start=1.0, text="so"),
        words.final("CA1111", 2, start=2.0, text="Yes.", track="outbound"),
        words.started("CA2222"),
        words.final("CA2222", 2, start=1.5, text="Hello?"),
        words.final("CA2222", 3, start=3.0, text="Good morning.", track="outbound"),
        words.ended("CA2222", 4),
        words.final("CA1111", 3, segment_id="s3", start=1.0, text="So then."),
    )[1:] == [
        "2222  call CA2222, inbound, from +15550001 to +15550002: caller and agent",
        "2222  00:01.5  caller   Hello?",
        "2222  00:03.0  agent    Good morning.",
        "2222  01:00.0  call ended: stopped",
        "00:01.0  caller   So then.",
        "00:02.0  agent    Yes.",
    ]


async def test_on_a_quiet_line_a_final_comes_by_itself() -> None:
    out = StringIO()
    with ConversationPrinter(Console(file=out, width=100), wait=0.05) as conversation:
        feed(conversation, words.final("CA1", 2, text="Hello?"), words.final("CA2", 2, text="Hi."))
        assert out.getvalue() == ""
        await until(lambda: out.getvalue().count("\n") == 2)
        feed(conversation, words.final("CA1", 3, text="Anybody?"))
        await until(lambda: "Anybody?" in out.getvalue())
        feed(conversation, words.final("CA1", 4, text="Bye."))
    assert [line.split()[-1] for line in out.getvalue().splitlines()] == ["Hello?", "Hi.", "Anybody?", "Bye."]


def test_whoever_is_forgotten_is_printed_before() -> None:
    out = StringIO()
    with ConversationPrinter(Console(file=out, width=100)) as conversation:
        feed(conversation, words.final(text="Hello?"))
        conversation.forget("CA1")
        assert out.getvalue() == "00:02.0  caller   Hello?\n"
        feed(conversation, words.final(text="Hello?"))
    assert out.getvalue() == "00:02.0  caller   Hello?\n" * 2


@st.composite
def arrivals(draw: st.DrawFn) -> list[Event]:
    """Finals and interims of two calls, some before and some after their end, some twice, in any order."""
    events = []
    for call_id in ("CA1", "CA2"):
        for seq, start in enumerate(draw(st.lists(st.integers(0, 40), max_size=6)), 2):
            said: dict[str, Any] = {"segment_id": f"s{seq}", "start": start / 2}
            said["track"] = draw(st.sampled_from(["inbound", "outbound"]))
            final = words.final(call_id, seq, text=f"words {seq} of {call_id}", **said)
            events += [final] * draw(st.integers(1, 2)) + [words.interim(call_id, **said)] * draw(st.integers(0, 2))
        events += [words.ended(call_id, 90)] * draw(st.integers(0, 1))
    return draw(st.permutations(events))


@given(arrivals())
def test_every_final_is_printed_exactly_once(events: list[Event]) -> None:
    finals = {event.data.text for event in events if event.data.type == "transcript.final"}  # type: ignore[attr-defined]
    lines = [line for line in printed(*events) if "words" in line]
    texts = [text for line in lines for text in re.findall(r"words \d+ of CA\d", line)]
    assert sorted(texts) == sorted(finals)


def test_talk_over_is_told_from_a_second_on() -> None:
    overlaps = [Overlap(segment_id="s1", start=2.0, end=2.5), Overlap(segment_id="s2", start=2.0, end=3.25)]
    assert printed(words.final(text="No, wait.", end=4.0, overlaps=overlaps)) == [
        "00:02.0  caller   No, wait.  (1.2 s over the other)"
    ]


def test_a_turn_is_one_line_in_its_own_script() -> None:
    assert printed(
        words.final(seq=2, start=1.0, text="我想"),
        words.final(seq=3, start=2.2, text="查订单。"),
        words.final(seq=4, start=3.4, text="OK"),
        words.final(seq=5, start=8.0, text="喂？", speaker="王先生"),
    ) == ["00:01.0  caller   我想查订单。OK", "00:08.0  王先生   喂？"]


def test_an_interim_grows_in_its_turn() -> None:
    out = StringIO()
    with ConversationPrinter(Console(file=out, force_terminal=True, width=80)) as conversation:
        feed(conversation, words.final(seq=2, start=1.0, text="It was"))
        mark = out.tell()
        feed(conversation, words.interim(segment_id="s3", start=2.3, text="supposed"))
        assert "It was \x1b[2;3msupposed" in out.getvalue()[mark:]
        feed(conversation, words.final(seq=3, segment_id="s3", start=2.3, text="supposed to."))
        mark = out.tell()
        feed(conversation, words.ended(seq=4))
        assert "It was supposed to.\n" in out.getvalue()[mark:]


def test_only_what_may_still_change_is_dimmed() -> None:
    out = StringIO()
    with ConversationPrinter(Console(file=out, force_terminal=True, width=80)) as conversation:
        feed(conversation, words.interim(segment_id="s3", text="so"))
        assert "\x1b[2;3mso" in out.getvalue()
        mark = out.tell()
        feed(conversation, words.final(text="Hello.", track="outbound"))
        waiting = out.getvalue()[mark:]
        assert "\x1b[2;3mso" in waiting and waiting.endswith("\x1b[0mHello.")
        mark = out.tell()
        feed(conversation, words.final(seq=3, segment_id="s3", text="So.", start=1.0, end=9.0))
    assert "\x1b[0mSo.\n" in out.getvalue()[mark:] and "\x1b[0mHello.\n" in out.getvalue()[mark:]


def test_every_line_can_name_its_call() -> None:
    out = StringIO()
    with ConversationPrinter(Console(file=out, width=100), name_calls=True) as conversation:
        feed(conversation, words.final("CA1111", 2, text="Hi."), words.ended("CA1111"))
        conversation.forget("CA1111")
        conversation.forget("CA2222")
        conversation.settle()
    assert out.getvalue().splitlines() == ["1111  00:02.0  caller   Hi.", "1111  01:00.0  call ended: stopped"]


def test_an_empty_final_and_an_unknown_event_are_no_lines() -> None:
    assert printed(words.final(text=""), words.speech()) == []


def test_an_event_of_another_version_is_a_note() -> None:
    out = StringIO()
    conversation = ConversationPrinter(Console(file=out, width=100))
    conversation.receive(call(), {"type": "transcript.final", "data": {"text": "no times, no speaker"}})
    assert out.getvalue() == "an event of type transcript.final that is not understood\n"


def test_several_calls_at_once_are_told_apart() -> None:
    lines = printed(words.started("CA1111"), words.started("CA2222"), words.final("CA2222", 2, text="Hi."))
    assert lines[2] == "2222  00:02.0  caller   Hi."
    lines = printed(words.started("CA1111"), words.ended("CA1111", 2), words.final("CA2222", 2, text="Hi."))
    assert lines[2] == "00:02.0  caller   Hi."


def test_words_cannot_play_with_the_terminal() -> None:
    (line,) = printed(words.final(text="a\x1b[31m[bold]b[/bold]\r\nc\u202ed"))
    assert line == "00:02.0  caller   a[31m[bold]b[/bold] cd"


def test_a_note_keeps_its_columns() -> None:
    out = StringIO()
    ConversationPrinter(Console(file=out, width=100)).note("  curl\x1b -s      here  there\n")
    assert out.getvalue() == "  curl -s      here  there\n"


def test_problems_are_loud() -> None:
    out = StringIO()
    conversation = ConversationPrinter(Console(file=out, force_terminal=True, width=80))
    conversation.problem("out of order")
    assert "!! out of order" in out.getvalue() and "\x1b[" in out.getvalue()


def test_interims_stand_below_what_is_final() -> None:
    out = StringIO()
    with ConversationPrinter(Console(file=out, force_terminal=True, width=80, color_system=None)) as conversation:
        feed(conversation, words.started(), words.interim(segment_id="a", text="hel"))
        feed(conversation, words.interim(segment_id="b", track="outbound", text="yes"))
        mark = out.tell()
        feed(conversation, words.interim(segment_id="a", revision=2, text="hello"))
        shown = out.getvalue()[mark:]
        assert "hello" in shown and "yes" in shown
        mark = out.tell()
        feed(conversation, words.final(seq=2, segment_id="a", text="Hello.", start=1.0))
        shown = out.getvalue()[mark:]
        assert shown.index("Hello.") < shown.rindex("yes")
        assert "hello" not in shown
        mark = out.tell()
        feed(conversation, words.interim(segment_id="a", revision=3, text="too late"))
        assert "too late" not in out.getvalue()[mark:]
        mark = out.tell()
        feed(conversation, words.ended())
        assert "yes" not in out.getvalue()[mark:].split("call ended")[1]


def test_a_long_line_is_not_broken_where_no_terminal_is() -> None:
    (line,) = printed(words.final(text="word " * 100))
    assert len(line) > 500


def test_several_on_one_track_have_lines_of_their_own() -> None:
    said = words.final(seq=2, start=1.0, text="This is Anna. And Bert.")
    texts = ["This", "is", "Anna.", "And", "Bert."]
    heard = [
        {"word": text, "text": text, "start": 1.0 + place, "end": 1.5 + place, "confidence": 0.9, "speaker": place // 3}
        for place, text in enumerate(texts)
    ]
    data = said.data.model_copy(update={"words": [Word.model_validate(word) for word in heard], "end": 5.5})

    assert printed(words.event("CA1", 2, data)) == [
        "00:01.0  caller 1 This is Anna.",
        "00:04.0  caller 2 And Bert.",
    ]
