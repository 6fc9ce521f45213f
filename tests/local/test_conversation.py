"""What a person sees: lines where there is no terminal, interims in place where there is one."""

import json
from collections.abc import Mapping
from io import StringIO
from typing import Any

from rich.console import Console

from bridge.delivery.envelope import call_header
from bridge.events import (
    AudioGap,
    CallEnded,
    CallResumed,
    Data,
    DtmfReceived,
    Event,
    Figures,
    Overlap,
    StreamFailed,
    TranscriptionBackfilled,
    TranscriptionInterrupted,
    TranscriptionResumed,
    timestamp,
)
from bridge.local.conversation import Conversation
from tests.fakes import words


def call(call_id: str = "CA1") -> Mapping[str, Any]:
    return json.loads(call_header(words.started(call_id)))  # type: ignore[no-any-return]


def feed(conversation: Conversation, *events: Event) -> None:
    for event in events:
        conversation.receive(call(event.call_id), json.loads(event.to_json()))


def printed(*events: Event) -> list[str]:
    out = StringIO()
    with Conversation(Console(file=out, width=100)) as conversation:
        feed(conversation, *events)
    return out.getvalue().splitlines()


def said(data: Data) -> list[str]:
    return printed(words.event("CA1", 2, data))


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


def test_what_went_wrong_is_said() -> None:
    gap = AudioGap(track="inbound", from_=3.0, to=4.5, missing=1.5, why="frames lost")
    assert said(gap) == ["00:03.0  1.5 s of inbound audio are missing: frames lost"]
    away = TranscriptionInterrupted(reason="refused", status=401, attempt=1, waiting=0.0, retry=False)
    assert said(away) == ["transcription interrupted: refused; not trying again"]
    assert said(TranscriptionResumed(attempt=2, waiting=4.0)) == ["transcription resumed, 4.0 s behind"]
    assert said(DtmfReceived(track="inbound", digit="#", at=2.0)) == ["00:02.0  key # pressed (inbound)"]
    failed = StreamFailed(stream_id="MZ1", error="31924\x1b[2J")
    assert said(failed) == ["the stream failed: 31924[2J"]
    back = CallResumed(reason="bridge_restarted", stream_id="MZ2", at=8.0)
    assert said(back) == ["00:08.0  the call goes on: bridge_restarted"]
    mended = TranscriptionBackfilled(from_=3.0, to=9.5, waiting=0.0)
    assert said(mended) == ["00:03.0  transcribed from kept audio up to 00:09.5"]
    partly = TranscriptionBackfilled(from_=3.0, to=9.5, waiting=2.0)
    assert said(partly) == ["00:03.0  transcribed from kept audio up to 00:09.5; 2.0 s still wait"]
    ended_at = timestamp(words.STARTED_AT)
    late = CallEnded(reason="stopped", duration=9.0, ended_at=ended_at, flush="timed_out", missing=2.5, counts={})
    assert said(late) == ["00:09.0  call ended: stopped; the last 2.5 s have no transcript"]


def test_talk_over_is_told() -> None:
    overlaps = [Overlap(segment_id="s1", start=2.0, end=2.5), Overlap(segment_id="s2", start=3.0, end=3.25)]
    assert printed(words.final(text="No, wait.", overlaps=overlaps)) == [
        "00:02.0  caller   No, wait.  (0.8 s over the other)"
    ]


def test_the_end_tells_the_figures() -> None:
    figures = Figures(
        talk_time={"caller": 12.0, "agent": 20.5},
        words={"caller": 30, "agent": 51},
        words_per_minute={"caller": 150.0, "agent": 149.0},
        talk_over=1.5,
        longest_silence=4.0,
        response_time={"caller": 0.5, "agent": None},
    )
    end = words.ended("CA1", 2)
    assert isinstance(end.data, CallEnded)
    assert said(end.data.model_copy(update={"figures": figures})) == [
        "01:00.0  call ended: stopped",
        "caller talked 12.0 s, 30 words; agent talked 20.5 s, 51 words; both at once 1.5 s; longest silence 4.0 s",
    ]


def test_only_what_may_still_change_is_dimmed() -> None:
    out = StringIO()
    conversation = Conversation(Console(file=out, force_terminal=True, width=80))
    feed(conversation, words.final(text="Hello."))
    assert out.getvalue().endswith("\x1b[0mHello.\n")


def test_every_line_can_name_its_call() -> None:
    out = StringIO()
    with Conversation(Console(file=out, width=100), name_calls=True) as conversation:
        feed(conversation, words.final("CA1111", 2, text="Hi."), words.ended("CA1111"))
        conversation.forget("CA1111")
        conversation.forget("CA2222")
        conversation.transcript()
    assert out.getvalue().splitlines() == ["1111  00:02.0  caller   Hi.", "1111  01:00.0  call ended: stopped"]


def test_an_empty_final_and_an_unknown_event_are_no_lines() -> None:
    assert printed(words.final(text=""), words.speech()) == []


def test_an_event_of_another_version_is_a_note() -> None:
    out = StringIO()
    conversation = Conversation(Console(file=out, width=100))
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
    Conversation(Console(file=out, width=100)).note("  curl\x1b -s      here  there\n")
    assert out.getvalue() == "  curl -s      here  there\n"


def test_problems_are_loud() -> None:
    out = StringIO()
    conversation = Conversation(Console(file=out, force_terminal=True, width=80))
    conversation.problem("out of order")
    assert "!! out of order" in out.getvalue() and "\x1b[" in out.getvalue()


def test_interims_stand_below_what_is_final() -> None:
    out = StringIO()
    with Conversation(Console(file=out, force_terminal=True, width=80, color_system=None)) as conversation:
        feed(conversation, words.started(), words.interim(segment_id="a", text="hel"))
        feed(conversation, words.interim(segment_id="b", track="outbound", text="yes"))
        mark = out.tell()
        feed(conversation, words.interim(segment_id="a", revision=2, text="hello"))
        shown = out.getvalue()[mark:]
        assert "hello" in shown and "yes" in shown
        mark = out.tell()
        feed(conversation, words.final(seq=2, segment_id="a", text="Hello."))
        shown = out.getvalue()[mark:]
        assert shown.index("Hello.") < shown.rindex("yes")
        assert "hello" not in shown
        mark = out.tell()
        feed(conversation, words.interim(segment_id="a", revision=3, text="too late"))
        assert "too late" not in out.getvalue()[mark:]
        mark = out.tell()
        feed(conversation, words.ended())
        assert "yes" not in out.getvalue()[mark:].split("call ended")[1]


def test_the_whole_transcript_by_time() -> None:
    out = StringIO()
    conversation = Conversation(Console(file=out, width=100))
    feed(
        conversation,
        words.final(seq=2, start=5.0, text="second"),
        words.final(seq=3, start=1.0, text="first", track="outbound"),
        words.final("CA2", 2, text="elsewhere"),
        words.final(seq=4, start=9.0, text="taken back", segment_id="x"),
        words.final(seq=5, start=9.0, text="", segment_id="x"),
    )
    mark = out.tell()
    conversation.transcript("CA1")
    assert out.getvalue()[mark:].splitlines() == [
        "transcript of CA1",
        "00:01.0  agent    first",
        "00:05.0  caller   second",
    ]
    mark = out.tell()
    conversation.transcript()
    assert "elsewhere" in out.getvalue()[mark:]


def test_a_long_line_is_not_broken_where_no_terminal_is() -> None:
    (line,) = printed(words.final(text="word " * 100))
    assert len(line) > 500
