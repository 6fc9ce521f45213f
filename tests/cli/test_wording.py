"""What is said of what happened, as a person reads it."""

import json
from typing import Any, get_args

import pytest
from rich.text import Text

from bridge.cli.wording import WORDING
from bridge.events import (
    EVENT_TYPES,
    AudioGap,
    CallEnded,
    CallResumed,
    Cause,
    Data,
    DtmfReceived,
    EventLost,
    Figures,
    Latency,
    PauseEnded,
    PauseStarted,
    StreamFailed,
    TranscriptionBackfilled,
    TranscriptionConfigured,
    TranscriptionInterrupted,
    TranscriptionResumed,
    WebhookTest,
    timestamp,
)
from bridge.outbox import call_header
from tests.fakes import words

CALL = json.loads(call_header(words.started()))


def told(data: Data) -> dict[str, Any]:
    return json.loads(words.event("CA1", 2 if data.durable else None, data).to_json())["data"]  # type: ignore[no-any-return]


def said(data: Data, prefix: str = "") -> list[str]:
    say, _ = WORDING[data.type]
    line = say(Text(prefix), CALL, told(data))
    return line.plain.splitlines() if line else []


def test_a_call_that_begins() -> None:
    assert said(words.started().data) == ["call CA1, inbound, from +15550001 to +15550002: caller and agent"]


def test_what_went_wrong_is_said() -> None:
    gap = AudioGap(track="inbound", from_=3.0, to=4.5, missing=1.5, why="frames lost")
    assert said(gap) == ["00:03.0  1.5 s of caller missing: frames lost"]
    away = TranscriptionInterrupted(reason="refused", status=401, attempt=1, waiting=0.0, retry=False)
    assert said(away) == ["transcription interrupted: refused; it must be fixed by hand"]
    there = TranscriptionInterrupted(
        reason="no results", status=None, attempt=1, waiting=0.0, retry=True, origin="api.deepgram.com"
    )
    assert said(there) == ["transcription interrupted at api.deepgram.com: no results; trying again"]
    assert said(TranscriptionResumed(attempt=2, waiting=4.0)) == ["transcription resumed, 4.0 s behind"]
    back = TranscriptionResumed(attempt=0, waiting=0.5, origin="api.deepgram.com")
    assert said(back) == ["transcription goes on at api.deepgram.com again"]
    assert said(DtmfReceived(track="inbound", digit="#", at=2.0)) == ["00:02.0  key # pressed (caller)"]
    failed = StreamFailed(stream_id="MZ1", error="31924\x1b[2J")
    assert said(failed) == ["the stream failed: 31924[2J"]
    assert said(words.eager_end().data) == ["00:02.0  caller may be done (45%)"]
    assert said(words.turn_resumed().data) == ["00:02.5  caller goes on"]
    back = CallResumed(reason="bridge_restarted", stream_id="MZ2", at=8.0)
    assert said(back) == ["00:08.0  the call goes on: bridge restarted"]
    assert said(EventLost()) == ["what stood here is lost: the database was damaged"]
    mended = TranscriptionBackfilled(from_=3.0, to=9.5, waiting=0.0)
    assert said(mended) == ["00:03.0  transcribed from kept audio up to 00:09.5"]
    partly = TranscriptionBackfilled(from_=3.0, to=9.5, waiting=2.0)
    assert said(partly) == ["00:03.0  transcribed from kept audio up to 00:09.5; 2.0 s still wait"]
    ended_at = timestamp(words.STARTED_AT)
    late = CallEnded(reason="stopped", duration=9.0, ended_at=ended_at, flush="timed_out", missing=2.5, counts={})
    assert said(late) == ["00:09.0  call ended: stopped; the last 2.5 s have no transcript"]


@pytest.mark.parametrize("why", get_args(Cause))
def test_no_reason_of_a_gap_is_a_word_of_the_programs(why: Cause) -> None:
    lines = said(AudioGap(track="outbound", from_=3.0, to=4.5, missing=1.5, why=why))

    # From when to when a pause lasts is said by two lines of its own, once for both tracks.
    assert len(lines) == (why != "paused")
    assert all(line.startswith("00:03.0  1.5 s of agent missing: ") and "_" not in line for line in lines)


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


def test_the_end_tells_how_far_deepgram_was_behind() -> None:
    end = words.ended("CA1", 2).data.model_copy(update={"latency": Latency(p50=0.31, p99=0.7, max=0.93, measured=9)})
    assert said(end)[1:] == ["Deepgram 0.31 s behind, 99 of 100 interims within 0.70 s"]


def test_what_was_asked_for_in_mid_call_is_told() -> None:
    changed = TranscriptionConfigured(keyterms=["Acme", "Bolt"], numerals=False, at=3.0, by="api")

    assert said(PauseStarted(at=1.0, by="key")) == ["00:01.0  paused (key): nothing is heard or kept"]
    assert said(PauseEnded(at=2.0, by="page")) == ["00:02.0  the pause is over (page)"]
    assert said(changed) == ["00:03.0  Deepgram's options are changed: keyterms Acme, Bolt; numerals off"]
    assert said(changed.model_copy(update={"keyterms": [], "numerals": None}))[0].endswith("keyterms none")


def test_every_line_begins_as_it_is_given() -> None:
    end = words.ended("CA1", 2).data
    assert said(end, "1111  ") == ["1111  01:00.0  call ended: stopped"]


def test_a_test_event_says_whose_it_is() -> None:
    assert said(WebhookTest(by="webhook test")) == [
        "a test event came, by bridge webhook test: posts arrive, and verify"
    ]


def test_what_stands_at_a_time_of_the_call_has_one() -> None:
    assert WORDING.keys() <= EVENT_TYPES.keys()
    assert {kind: time for kind, (_, time) in WORDING.items() if time} == {
        "turn.eager_end": "at",
        "turn.resumed": "at",
        "dtmf.received": "at",
        "audio.gap": "from",
        "call.resumed": "at",
        "transcription.configured": "at",
        "pause.started": "at",
        "pause.ended": "at",
    }
    fields = {
        kind: {field.alias or name for name, field in data.model_fields.items()} for kind, data in EVENT_TYPES.items()
    }
    assert all(time in fields[kind] for kind, (_, time) in WORDING.items() if time)


def test_an_event_of_another_version_is_no_line() -> None:
    for say, _ in WORDING.values():
        with pytest.raises(KeyError):
            say(Text(), CALL, {})
