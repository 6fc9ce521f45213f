"""Printing a conversation as it happens: who says what and when, from the events of a webhook's envelopes.

On a terminal the words that may still change stand dimmed below what is said for good; elsewhere every final is one
plain line. It checks nothing: whatever it does not know it leaves out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from bridge.text import clock, plain

COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_red")
"""Of the speakers, in the order in which they first speak."""

Json = Mapping[str, Any]


@dataclass(slots=True)
class _Call:
    finals: dict[str, Json] = field(default_factory=dict)
    """By segment."""
    interims: dict[str, Json] = field(default_factory=dict)
    """By track."""
    live: bool = True


class Conversation:
    """`with Conversation() as conversation:`, then feed it events; works outside `with` too, without interims."""

    def __init__(self, console: Console | None = None, *, name_calls: bool = False) -> None:
        """`name_calls`: say of every line which call's it is, and not only where several go on at once."""
        self._console = console or Console(highlight=False)
        self._name_calls = name_calls
        self._calls: dict[str, _Call] = {}
        self._colours: dict[str, str] = {}
        self._live: Live | None = None
        self._show: dict[str, Callable[[Text, _Call, Json, Json], Text | None]] = {
            "call.started": self._started,
            "transcript.interim": self._interim,
            "transcript.final": self._final,
            "dtmf.received": self._digit,
            "audio.gap": self._gap,
            "transcription.interrupted": self._interrupted,
            "transcription.resumed": self._resumed,
            "transcription.backfilled": self._backfilled,
            "stream.failed": self._failed,
            "call.resumed": self._call_resumed,
            "call.ended": self._ended,
        }

    def __enter__(self) -> "Conversation":
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def receive(self, call: Json, event: Json) -> None:
        """Show one event. `call` and `event` as in the envelope."""
        show = self._show.get(event["type"])
        if show is None:
            return
        known = self._calls.setdefault(call["id"], _Call())
        try:
            line = show(self._prefix(call["id"]), known, call, event["data"])
        except (AttributeError, KeyError, TypeError, ValueError):
            # Another version's event: printing is no reason to refuse a delivery.
            self.note(f"an event of type {event['type']} that is not understood")
            return
        self._refresh()
        if line is not None:
            self._print(line)

    def problem(self, text: str) -> None:
        """Say loudly that something is wrong."""
        self._print(Text(f"!! {plain(text)}", style="bold white on red"))

    def note(self, text: str) -> None:
        """Say something beside the conversation; columns of more than one blank are kept."""
        self._print(Text("  ".join(plain(column) for column in text.split("  ")), style="dim"))

    def transcript(self, call_id: str | None = None) -> None:
        """Print everything that was said for good, by time; of one call or of each."""
        for name, call in self._calls.items():
            if call_id in (None, name):
                self._print(Text(f"transcript of {plain(name)}", style="bold"))
                for data in sorted(call.finals.values(), key=lambda data: (data["start"], data["channel"])):
                    self._print(self._said(Text(), data))

    def forget(self, call_id: str) -> None:
        """Keep nothing of a call any more: of who follows calls for weeks."""
        self._calls.pop(call_id, None)

    def _started(self, line: Text, known: _Call, call: Json, data: Json) -> Text:
        speakers = " and ".join(dict.fromkeys(plain(name) for name in data["speakers"].values()))
        line.append(f"call {plain(call['id'])}, {plain(data['direction'] or 'of unknown direction')}", style="bold")
        return line.append(f", from {plain(data['from'] or '?')} to {plain(data['to'] or '?')}: {speakers}")

    def _interim(self, line: Text, known: _Call, call: Json, data: Json) -> None:
        if data["segment_id"] not in known.finals:
            known.interims[data["track"]] = data

    def _final(self, line: Text, known: _Call, call: Json, data: Json) -> Text | None:
        if known.interims.get(data["track"], {}).get("segment_id") == data["segment_id"]:
            del known.interims[data["track"]]
        if not data["text"]:
            known.finals.pop(data["segment_id"], None)
            return None
        known.finals[data["segment_id"]] = data
        self._said(line, data)
        if over := sum(overlap["end"] - overlap["start"] for overlap in data.get("overlaps", ())):
            line.append(f"  ({over:.1f} s over the other)", style="dim")
        return line

    def _digit(self, line: Text, known: _Call, call: Json, data: Json) -> Text:
        return line.append(
            f"{clock(data['at'])}  key {plain(data['digit'])} pressed ({plain(data['track'])})", style="dim"
        )

    def _gap(self, line: Text, known: _Call, call: Json, data: Json) -> Text:
        what = f"{data['missing']:.1f} s of {plain(data['track'])} audio are missing: {plain(data['why'])}"
        return line.append(f"{clock(data['from'])}  {what}", style="yellow")

    def _interrupted(self, line: Text, known: _Call, call: Json, data: Json) -> Text:
        then = "trying again" if data["retry"] else "not trying again"
        return line.append(f"transcription interrupted: {plain(data['reason'])}; {then}", style="bold yellow")

    def _resumed(self, line: Text, known: _Call, call: Json, data: Json) -> Text:
        return line.append(f"transcription resumed, {data['waiting']:.1f} s behind", style="yellow")

    def _backfilled(self, line: Text, known: _Call, call: Json, data: Json) -> Text:
        rest = f"; {data['waiting']:.1f} s still wait" if data["waiting"] else ""
        what = f"transcribed from kept audio up to {clock(data['to'])}{rest}"
        return line.append(f"{clock(data['from'])}  {what}", style="yellow")

    def _failed(self, line: Text, known: _Call, call: Json, data: Json) -> Text:
        return line.append(f"the stream failed: {plain(data['error'])}", style="bold yellow")

    def _call_resumed(self, line: Text, known: _Call, call: Json, data: Json) -> Text:
        return line.append(f"{clock(data['at'])}  the call goes on: {plain(data['reason'])}", style="yellow")

    def _ended(self, line: Text, known: _Call, call: Json, data: Json) -> Text:
        known.interims.clear()
        known.live = False
        prefix = line.copy()
        line.append(f"{clock(data['duration'])}  call ended: {plain(data['reason'])}", style="bold")
        if data["flush"] != "complete":
            line.append(f"; the last {data['missing']:.1f} s have no transcript", style="yellow")
        if data.get("figures"):
            line.append("\n").append_text(prefix).append(_told(data["figures"]))
        return line

    def _said(self, line: Text, data: Json, *, style: str = "") -> Text:
        speaker = plain(data["speaker"])
        colour = self._colours.setdefault(speaker, COLOURS[len(self._colours) % len(COLOURS)])
        line.append(f"{clock(data['start'])}  ", style="dim")
        line.append(f"{speaker:<8} ", style=f"{style} {colour}")
        return line.append(plain(data["text"]), style=style)

    def _prefix(self, call_id: str) -> Text:
        """Which call, where there are several."""
        named = self._name_calls or sum(call.live for call in self._calls.values()) > 1
        # Not the style of the Text: that would be the whole line's.
        return Text().append(f"{plain(call_id[-4:])}  " if named else "", style="dim")

    def _refresh(self) -> None:
        if self._live is not None:
            lines = [
                self._said(self._prefix(name), data, style="dim italic")
                for name, call in self._calls.items()
                for data in call.interims.values()
            ]
            self._live.update(Group(*lines), refresh=True)

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=not self._console.is_terminal)


def _told(figures: Json) -> str:
    spoken = [
        f"{plain(speaker)} talked {seconds:.1f} s, {figures['words'][speaker]} words"
        for speaker, seconds in figures["talk_time"].items()
    ]
    both = f"both at once {figures['talk_over']:.1f} s"
    return "; ".join([*spoken, both, f"longest silence {figures['longest_silence']:.1f} s"])
