"""The text of each event of a call, except speech, as one line.

Nothing is checked: an event of another version that lacks a field raises `KeyError`. `conversation` decides when a line
is printed, and prints speech.
"""

from collections.abc import Callable, Mapping
from typing import Any

from rich.text import Text

from bridge.text import clock, plain
from bridge.transcript.gaps import PAUSED, reason

Json = Mapping[str, Any]

Say = Callable[[Text, Json, Json], Text | None]
"""Appends the text to a line that has a prefix, from the `call` and the event's `data` in an envelope; None: other
events have said it."""


def started(line: Text, call: Json, data: Json) -> Text:
    speakers = " and ".join(dict.fromkeys(plain(name) for name in data["speakers"].values()))
    line.append(f"call {plain(call['id'])}, {plain(data['direction'] or 'of unknown direction')}", style="bold")
    return line.append(f", from {plain(data['from'] or '?')} to {plain(data['to'] or '?')}: {speakers}")


def digit(line: Text, call: Json, data: Json) -> Text:
    what = f"key {plain(data['digit'])} pressed ({_speaker(call, data['track'])})"
    return line.append(f"{clock(data['at'])}  {what}", style="dim")


def gap(line: Text, call: Json, data: Json) -> Text | None:
    if data["why"] == PAUSED:
        return None  # two lines say from when to when, for both tracks
    what = f"{data['missing']:.1f} s of {_speaker(call, data['track'])} missing: {reason(data['why'])}"
    return line.append(f"{clock(data['from'])}  {what}", style="yellow")


def interrupted(line: Text, call: Json, data: Json) -> Text:
    then = "trying again" if data["retry"] else "it must be fixed by hand"
    at = f" at {plain(data['origin'])}" if data.get("origin") else ""
    return line.append(f"transcription interrupted{at}: {plain(data['reason'])}; {then}", style="bold yellow")


def resumed(line: Text, call: Json, data: Json) -> Text:
    if data["attempt"] == 0:  # nothing was interrupted
        return line.append(f"transcription goes on at {plain(data['origin'])} again", style="dim")
    return line.append(f"transcription resumed, {data['waiting']:.1f} s behind", style="yellow")


def backfilled(line: Text, call: Json, data: Json) -> Text:
    rest = f"; {data['waiting']:.1f} s still wait" if data["waiting"] else ""
    what = f"transcribed from kept audio up to {clock(data['to'])}{rest}"
    return line.append(f"{clock(data['from'])}  {what}", style="yellow")


def pause_started(line: Text, call: Json, data: Json) -> Text:
    return line.append(f"{clock(data['at'])}  paused ({plain(data['by'])}): nothing is heard or kept", style="yellow")


def pause_ended(line: Text, call: Json, data: Json) -> Text:
    return line.append(f"{clock(data['at'])}  the pause is over ({plain(data['by'])})", style="yellow")


def configured(line: Text, call: Json, data: Json) -> Text:
    changes = []
    if data["keyterms"] is not None:
        changes.append(f"keyterms {', '.join(map(plain, data['keyterms'])) or 'none'}")
    if data["numerals"] is not None:
        changes.append(f"numerals {'on' if data['numerals'] else 'off'}")
    return line.append(f"{clock(data['at'])}  Deepgram's options are changed: {'; '.join(changes)}", style="dim")


def failed(line: Text, call: Json, data: Json) -> Text:
    return line.append(f"the stream failed: {plain(data['error'])}", style="bold yellow")


def eager_end(line: Text, call: Json, data: Json) -> Text:
    what = f"{plain(data['speaker'])} may be done ({data['confidence']:.0%})"
    return line.append(f"{clock(data['at'])}  {what}", style="dim")


def turn_resumed(line: Text, call: Json, data: Json) -> Text:
    return line.append(f"{clock(data['at'])}  {plain(data['speaker'])} goes on", style="dim")


def call_resumed(line: Text, call: Json, data: Json) -> Text:
    return line.append(f"{clock(data['at'])}  the call goes on: {_words(data['reason'])}", style="yellow")


def ended(line: Text, call: Json, data: Json) -> Text:
    prefix = line.copy()
    line.append(f"{clock(data['duration'])}  call ended: {_words(data['reason'])}", style="bold")
    if data["flush"] != "complete":
        line.append(f"; the last {data['missing']:.1f} s have no transcript", style="yellow")
    told = [_told(data["figures"])] if data.get("figures") else []
    if latency := data.get("latency"):
        told.append(f"Deepgram {latency['p50']:.2f} s behind, 99 of 100 interims within {latency['p99']:.2f} s")
    if told:
        line.append("\n").append_text(prefix).append("; ".join(told))
    return line


def lost(line: Text, call: Json, data: Json) -> Text:
    return line.append(f"what stood here is lost: the database was {plain(data['why'])}", style="yellow")


def tested(line: Text, call: Json, data: Json) -> Text:
    return line.append(f"a test event came, by bridge {plain(data['by'])}: posts arrive, and verify", style="green")


def _words(reason: str) -> str:
    return plain(reason.replace("_", " "))


def _speaker(call: Json, track: str) -> str:
    """Who speaks on a track, if the call's beginning was seen."""
    return plain((call.get("speakers") or {}).get(track) or track)


def _told(figures: Json) -> str:
    spoken = [
        f"{plain(speaker)} talked {seconds:.1f} s, {figures['words'][speaker]} words"
        for speaker, seconds in figures["talk_time"].items()
    ]
    both = f"both at once {figures['talk_over']:.1f} s"
    return "; ".join([*spoken, both, f"longest silence {figures['longest_silence']:.1f} s"])


WORDING: Mapping[str, tuple[Say, str | None]] = {
    "call.started": (started, None),
    "turn.eager_end": (eager_end, "at"),
    "turn.resumed": (turn_resumed, "at"),
    "dtmf.received": (digit, "at"),
    "audio.gap": (gap, "from"),
    "transcription.interrupted": (interrupted, None),
    "transcription.resumed": (resumed, None),
    "transcription.backfilled": (backfilled, None),
    "transcription.configured": (configured, "at"),
    "pause.started": (pause_started, "at"),
    "pause.ended": (pause_ended, "at"),
    "stream.failed": (failed, None),
    "call.resumed": (call_resumed, "at"),
    "call.ended": (ended, None),
    "event.lost": (lost, None),
    "webhook.test": (tested, None),
}
"""By type of event: its function, and the field of its data that has its time in the call, if there is one."""
