"""Events as a call would make them, with everything that a test does not care about filled in."""

from typing import Any

from bridge.events import (
    AudioGap,
    CallEnded,
    CallStarted,
    Data,
    Event,
    SpeechStarted,
    Stretch,
    TranscriptFinal,
    TranscriptInterim,
    TranscriptionBackfilled,
    TurnEagerEnd,
    TurnResumed,
    timestamp,
)

STARTED_AT = 1_800_000_000.0


def event(call_id: str, seq: int | None, data: Data) -> Event:
    return Event(call_id, seq, f"{call_id}-{seq or 'x'}", timestamp(STARTED_AT + (seq or 0)), data)


def started(call_id: str = "CA1", seq: int = 1, **said: Any) -> Event:
    data = CallStarted(
        carrier="twilio",
        carrier_call_id=said.get("carrier_call_id", call_id),
        continues=said.get("continues"),
        stream_id="MZ1",
        from_="+15550001",
        to=said.get("to", "+15550002"),
        direction="inbound",
        speakers={"inbound": "caller", "outbound": "agent"},
        tracks=["inbound", "outbound"],
        media_format={"encoding": "audio/x-mulaw", "sample_rate": 8000, "channels": 1},
        parameters=said.get("parameters", {"team": "süd"}),
        record_days=said.get("record_days"),
        started_at=timestamp(STARTED_AT),
    )
    return event(call_id, seq, data)


def transcript(**said: Any) -> dict[str, Any]:
    track = said.get("track", "inbound")
    start = said.get("start", 1.0)
    return {
        "segment_id": "s1",
        "revision": 1,
        "final": False,
        "track": track,
        "channel": 0 if track == "inbound" else 1,
        "speaker": "caller" if track == "inbound" else "agent",
        "start": start,
        "end": start + 1.0,
        "start_time": timestamp(STARTED_AT + start),
        "end_time": timestamp(STARTED_AT + start + 1.0),
        "text": "hello",
        "confidence": 0.9,
        "words": [],
        **said,
    }


def final(call_id: str = "CA1", seq: int = 2, **said: Any) -> Event:
    said = {"segment_id": f"s{seq}", "text": f"words of {seq}", "start": float(seq), **said}
    return event(call_id, seq, TranscriptFinal(**transcript(**{**said, "final": True})))


def interim(call_id: str = "CA1", **said: Any) -> Event:
    return event(call_id, None, TranscriptInterim(**transcript(**said)))


def speech(call_id: str = "CA1", track: str = "inbound", at: float = 1.0) -> Event:
    channel = 0 if track == "inbound" else 1
    speaker = "caller" if track == "inbound" else "agent"
    data = SpeechStarted(track=track, channel=channel, speaker=speaker, at=at, at_time=timestamp(STARTED_AT + at))
    return event(call_id, None, data)


def eager_end(call_id: str = "CA1", segment_id: str = "s1", text: str = "hello") -> Event:
    data = TurnEagerEnd(
        segment_id=segment_id,
        track="inbound",
        channel=0,
        speaker="caller",
        at=2.0,
        at_time=timestamp(STARTED_AT + 2),
        text=text,
        confidence=0.45,
    )
    return event(call_id, None, data)


def turn_resumed(call_id: str = "CA1", segment_id: str = "s1") -> Event:
    at, at_time = 2.5, timestamp(STARTED_AT + 2.5)
    data = TurnResumed(segment_id=segment_id, track="inbound", channel=0, speaker="caller", at=at, at_time=at_time)
    return event(call_id, None, data)


def ended(
    call_id: str = "CA1", seq: int = 3, uncovered: tuple[tuple[float, float], ...] = (), at: float = 60.0
) -> Event:
    """`uncovered`: kept audio of the inbound track that has still to be transcribed, in seconds from and to."""
    missing = sum(to - from_ for from_, to in uncovered)
    data = CallEnded(
        reason="stopped",
        duration=60.0,
        ended_at=timestamp(STARTED_AT + at),
        flush="timed_out" if uncovered else "complete",
        missing=missing,
        uncovered=[Stretch(track="inbound", from_=from_, to=to) for from_, to in uncovered],
        counts={"finals": seq - 2},
    )
    return event(call_id, seq, data)


def backfilled(call_id: str, seq: int, from_: float, to: float, waiting: float = 0.0) -> Event:
    return event(call_id, seq, TranscriptionBackfilled(from_=from_, to=to, waiting=waiting))


def gap(call_id: str, seq: int, from_: float, to: float, why: str = "not_transcribed") -> Event:
    return event(call_id, seq, AudioGap(track="inbound", from_=from_, to=to, missing=to - from_, why=why))


def conversation(call_id: str = "CA1", finals: int = 3) -> list[Event]:
    """A whole call: its start, so many finals, its end."""
    return [
        started(call_id),
        *(final(call_id, seq) for seq in range(2, finals + 2)),
        ended(call_id, finals + 2),
    ]
