"""A finished call's transcript as a file: plain text to read, JSON to work with, SubRip and WebVTT for players.

All take the call's finals as they were sent, in any order, and put them in order themselves. Pure: what a cue is stands
in `captions`, which client asked for which file is a handler's business.
Sources: https://www.w3.org/TR/webvtt1/ for WebVTT; SubRip has no specification, so what its readers agree on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from html import escape
from itertools import chain
from typing import Any

from typing_extensions import TypedDict

from bridge.events import AudioGap, Figures, Latency, TranscriptFinal
from bridge.outbox import CallHeader
from bridge.text import clock, plain
from bridge.transcript.captions import Cue, cues
from bridge.transcript.gaps import Completeness, reason
from bridge.transcript.speech import said
from bridge.transcript.turns import Turn, ordered, turns


class TurnDocument(TypedDict):
    """What one speaker said until the other spoke, or until a pause."""

    speaker: str
    """The label; with a number from 1, where several speak on one track."""
    track: str
    voice: int | None
    """Deepgram's number of the speaker, where several speak on one track."""
    start: float
    end: float
    text: str
    over: list[str]
    """Speakers in whose turn this one began, or went on, and who did not stop for it."""
    segment_ids: list[str]
    """The segments it has words of, in order."""


class TranscriptDocument(TypedDict):
    """A call's transcript for programs."""

    call: CallHeader
    turns: list[TurnDocument]
    """The conversation."""
    segments: list[TranscriptFinal]
    """The data of `transcript.final`, in the order of speech and with all of their overlaps."""
    gaps: list[AudioGap]
    """What has no words by now."""
    figures: Figures | None
    """Of everything that is transcribed by now."""
    completeness: Completeness | None
    """None while the call goes on."""
    latency: Latency | None
    """As `call.ended` has it; None while the call goes on."""


_HEAD = ((" ", "id"), (" from ", "from"), (" to ", "to"), (", ", "direction"), (", ", "started_at"))
"""What stands before which part of a call's header."""

_NO_MARKUP = str.maketrans("<>{}\\", "‹›()/")
"""SubRip knows no escapes, and players read tags, `{\\an8}` and `\\N` in it: what would be markup is written as what
looks most like it, which takes care of `-->` too."""


def text(
    call: Mapping[str, Any],
    finals: Iterable[TranscriptFinal],
    gaps: Iterable[AudioGap] = (),
    completeness: Completeness | None = None,
) -> str:
    """The call for reading: a line a turn, with the time it began, who spoke, and over whom.

    `call` is the `call` object of a webhook's envelope, of which any part may be missing. A last line says how much
    is still being transcribed.
    """
    lines = [(turn.start, _turn_line(turn)) for turn in turns(finals)]
    lines += [(gap.from_, _gap_line(gap, call.get("speakers") or {})) for gap in gaps]
    lines.sort(key=lambda line: line[0])
    waiting = completeness.waiting if completeness else 0.0
    rest = [f"({waiting:.1f} s are still to be transcribed)"] if waiting else []
    return "\n".join([_head(call), "", *(f"[{clock(at)}] {line}" for at, line in lines), *rest]) + "\n"


def document(
    call: Mapping[str, Any],
    finals: Iterable[TranscriptFinal],
    gaps: Iterable[AudioGap] = (),
    figures: Figures | None = None,
    completeness: Completeness | None = None,
    latency: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The call for programs, ready for `json.dumps`.

    `segments` are the data of its `transcript.final` events, in the order of speech and with all of their overlaps;
    `turns` say the same as a conversation, with the seconds of the call and the ids of the segments. `completeness`
    and `latency` (as `call.ended` has it) are null while the call goes on.
    """
    finals = said(finals)
    return {
        "call": dict(call),
        "turns": [turn_document(turn) for turn in turns(finals)],
        "segments": [final.model_dump(mode="json") for final in ordered(finals)],
        "gaps": [gap.model_dump(mode="json") for gap in sorted(gaps, key=lambda gap: gap.from_)],
        "figures": figures.model_dump(mode="json") if figures else None,
        "completeness": asdict(completeness) if completeness else None,
        "latency": dict(latency) if latency else None,
    }


def srt(finals: Iterable[TranscriptFinal]) -> str:
    """SubRip, UTF-8: the speaker is named where it changes. Empty if nothing was said."""
    return "".join(_srt_cue(number, cue) for number, cue in enumerate(cues(finals, named=True), 1))


def vtt(finals: Iterable[TranscriptFinal]) -> str:
    """WebVTT, UTF-8: every cue is a voice span with the speaker's label."""
    return "\n".join(chain(["WEBVTT\n"], map(_vtt_cue, cues(finals))))


def _srt_cue(number: int, cue: Cue) -> str:
    spoken = "\n".join(cue.lines).translate(_NO_MARKUP)
    return f"{number}\n{_times(cue, ',')}\n{spoken}\n\n"


def _vtt_cue(cue: Cue) -> str:
    spoken = "\n".join(cue.lines)
    return f"{_times(cue, '.')}\n<v {_escaped(cue.speaker)}>{_escaped(spoken)}\n"


def _escaped(text: str) -> str:
    """As cue text and annotations want it: `&`, `<` and `>`, and so `-->`."""
    return escape(text, quote=False)


def _times(cue: Cue, point: str) -> str:
    return f"{_timestamp(cue.start, point)} --> {_timestamp(cue.end, point)}"


def _timestamp(milliseconds: int, point: str) -> str:
    """`HH:MM:SS.mmm`, with as many digits of hours as there are."""
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}{point}{milliseconds:03d}"


def _head(call: Mapping[str, Any]) -> str:
    """Which call this is, as far as it is known."""
    return "Call" + "".join(f"{before}{plain(str(call[name]))}" for before, name in _HEAD if call.get(name))


def _turn_line(turn: Turn) -> str:
    over = f" (over {' and '.join(turn.over)})" if turn.over else ""
    return f"{turn.speaker}{over}: {turn.text}"


def _gap_line(gap: AudioGap, speakers: Mapping[str, str]) -> str:
    speaker = plain(speakers.get(gap.track, "")) or gap.track
    return f"({gap.missing:.1f} s of {speaker} missing: {reason(gap.why)})"


def turn_document(turn: Turn) -> dict[str, Any]:
    """A turn for programs; times in seconds of the call."""
    return {
        "speaker": turn.speaker,
        "track": turn.track,
        "voice": turn.voice,
        "start": turn.start,
        "end": turn.end,
        "text": turn.text,
        "over": list(turn.over),
        "segment_ids": turn.segment_ids,
    }
