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

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
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
        except (KeyError, TypeError):
            # Another version's event: printing is no reason to refuse a delivery.
            self.note(f"an event of type {event['type']} that is not understood")
            return
        self._refresh()
        if line is not None:
            self._print(line)

    def problem(self, text: str) -> None:
        """Say loudly that something is wrong."""
        self._print(Text(f"!! {_plain(text)}", style="bold white on red"))

    def note(self, text: str) -> None:
        self._print(Text(_plain(text), style="dim"))

    def transcript(self, call_id: str | None = None) -> None:
        """Print everything that was said for good, by time; of one call or of each."""
        for name, call in self._calls.items():
            if call_id in (None, name):
                self._print(Text(f"transcript of {_plain(name)}", style="bold"))
                for data in sorted(call.finals.values(), key=lambda data: (data["start"], data["channel"])):
                    self._print(self._said(Text(), data))

    def _started(self, line: Text, known: _Call, call: Json, data: Json) -> Text:
        speakers = " and ".join(dict.fromkeys(_plain(name) for name in data["speakers"].values()))
        line.append(f"call {_plain(call['id'])}, {_plain(data['direction'] or 'of unknown direction')}", style="bold")
        return line.append(f", from {_plain(data['from'] or '?')} to {_plain(data['to'] or '?')}: {speakers}")

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
        return self._said(line, data)

    def _digit(self, line: Text, known: _Call, call: Json, data: Json) -> Text:
        return line.append(f"{clock(data['at'])}  key {_plain(data['digit'])} pressed ({data['track']})", style="dim")

    def _gap(self, line: Text, known: _Call, call: Json, data: Json) -> Text:
        what = f"{data['missing']:.1f} s of {data['track']} audio are missing: {_plain(data['why'])}"
        return line.append(f"{clock(data['from'])}  {what}", style="yellow")

    def _interrupted(self, line: Text, known: _Call, call: Json, data: Json) -> Text:
        then = "trying again" if data["retry"] else "not trying again"
        return line.append(f"transcription interrupted: {_plain(data['reason'])}; {then}", style="bold yellow")

    def _resumed(self, line: Text, known: _Call, call: Json, data: Json) -> Text:
        return line.append(f"transcription resumed, {data['waiting']:.1f} s behind", style="yellow")

    def _ended(self, line: Text, known: _Call, call: Json, data: Json) -> Text:
        known.interims.clear()
        known.live = False
        line.append(f"{clock(data['duration'])}  call ended: {_plain(data['reason'])}", style="bold")
        if data["flush"] != "complete":
            line.append(f"; the last {data['missing']:.1f} s have no transcript", style="yellow")
        return line

    def _said(self, line: Text, data: Json, *, style: str = "") -> Text:
        speaker = _plain(data["speaker"])
        colour = self._colours.setdefault(speaker, COLOURS[len(self._colours) % len(COLOURS)])
        line.append(f"{clock(data['start'])}  ", style="dim")
        line.append(f"{speaker:<8} ", style=f"{style} {colour}")
        return line.append(_plain(data["text"]), style=style)

    def _prefix(self, call_id: str) -> Text:
        """Which call, where there are several."""
        several = sum(call.live for call in self._calls.values()) > 1
        return Text(f"{_plain(call_id[-4:])}  " if several else "", style="dim")

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


def clock(seconds: float) -> str:
    """Seconds of a call as mm:ss.s."""
    tenths = round(seconds * 10)
    return f"{tenths // 600:02d}:{tenths % 600 / 10:04.1f}"


def _plain(text: str) -> str:
    """Without whatever could move the cursor or change the colours of a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)
