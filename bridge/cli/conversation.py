"""Prints a conversation as it happens: who says what and when, from the events of a webhook's envelopes.

Finals are printed in the order in which they were said. On a terminal, finals that still wait for earlier speech stand
below the printed lines, and so do, dimmed, the words that may still change; elsewhere every final is one plain line.
`printout` decides the order of lines, `wording` the text of events that are not speech. Nothing is checked here:
unknown events are left out.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from bridge.cli.printout import WAIT, Printout
from bridge.cli.turns import Turn, Turns
from bridge.cli.wording import WORDING
from bridge.events import (
    CallEnded,
    CallResumed,
    CallStarted,
    Data,
    SpeechStarted,
    Transcript,
    TranscriptFinal,
    TranscriptInterim,
)
from bridge.text import clock, plain
from bridge.transcript.speech import shares
from bridge.transcript.turns import PAUSE, named
from bridge.writing import spaced, width

COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_red")
"""Of the speakers, in the order in which they first speak."""

Json = Mapping[str, Any]

_HEARD: Mapping[str, type[Data]] = {
    data.type: data for data in (TranscriptInterim, TranscriptFinal, SpeechStarted, CallResumed)
}
"""The events that the printout needs to order lines."""


@dataclass(slots=True)
class _PrintedCall:
    printout: Printout
    turns: Turns
    speakers: Json = field(default_factory=dict)
    """By track, once its beginning was seen."""
    live: bool = True


class ConversationPrinter:
    """Use it as a context manager and give it events; lines that still wait are printed on exit.

    In a running event loop a line is printed when it has waited long enough; without one, with the next event.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        name_calls: bool = False,
        wait: float = WAIT,
        footer: Callable[[], Text] | None = None,
    ) -> None:
        """`name_calls`: begin every line with its call, and not only while several go on at once.

        `wait`: seconds for which a final waits for its place, and at most for what its speaker goes on with.
        `footer`: a last line, on a terminal.
        """
        self._wait = wait
        self._footer = footer
        self._console = console or Console(highlight=False)
        self._name_calls = name_calls
        self._calls: dict[str, _PrintedCall] = {}
        self._colours: dict[str, str] = {}
        self._live: Live | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm: asyncio.TimerHandle | None = None

    def __enter__(self) -> "ConversationPrinter":
        with contextlib.suppress(RuntimeError):  # there is none
            self._loop = asyncio.get_running_loop()
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._finish(*self._calls)
        finally:
            self._loop = None
            if self._live is not None:
                self._live.stop()
                self._live = None

    def receive(self, call: Json, event: Json) -> None:
        """Show one event. `call` and `event` as in the envelope."""
        name, kind = call["id"], event["type"]
        if kind not in _HEARD and kind not in WORDING:
            return
        known = self._calls.setdefault(name, _PrintedCall(Printout(self._wait), Turns(min(self._wait, PAUSE))))
        try:
            self._take(known, call, event)
        except (AttributeError, KeyError, TypeError, ValueError):
            # An event of another version must not make the receiver refuse the delivery.
            self.note(f"an event of type {kind} that is not understood")
        self._print_calls(name)
        if kind == CallEnded.type:
            known.live = False

    def problem(self, text: str) -> None:
        """Print an error, highlighted."""
        self._print(Text(f"!! {plain(text)}", style="bold white on red"))

    def note(self, text: str) -> None:
        """Print a remark, dimmed; columns separated by two blanks are kept."""
        self._print(Text("  ".join(plain(column) for column in text.split("  ")), style="dim"))

    def settle(self) -> None:
        """Print what still waits, of every call."""
        self._finish(*self._calls)

    def forget(self, call_id: str) -> None:
        """Print what still waits of a call, and drop its state, so that calls can be followed for weeks."""
        if call_id in self._calls:
            self._finish(call_id)
            del self._calls[call_id]

    def _take(self, known: _PrintedCall, call: Json, event: Json) -> None:
        """Hand an event to its call's printout. Raises whatever an unexpected shape causes."""
        kind, data, now = event["type"], event["data"], self._now()
        if kind == CallEnded.type:
            known.printout.finish()
        if kind in _HEARD:
            heard = _HEARD[kind].model_validate(data)
            known.printout.receive(heard, now)
        if kind == CallStarted.type:
            known.speakers = data["speakers"]
        if kind in WORDING:
            say, at = WORDING[kind]
            line = say(self._prefix(call["id"]), {"speakers": known.speakers, **call}, data)
            if line is not None:
                known.printout.note(line, now, data[at] if at else None)

    def _finish(self, *names: str) -> None:
        for name in names:
            self._calls[name].printout.finish()
        self._print_calls(*names, finish=True)

    def _print_calls(self, *names: str, finish: bool = False) -> None:
        """Print the lines of these calls that need not wait any more; with `finish`, all."""
        now = self._now()
        lines = []
        for name in names:
            call = self._calls[name]
            call.turns.receive(call.printout.items_received(), call.printout.waiting, now)
            if finish:
                call.turns.finish()
            lines += [line for turn in call.turns.turns_received() for line in self._lines(name, turn)]
        self._refresh()
        for line in lines:
            self._print(line)
        self._set_alarm()

    def _set_alarm(self) -> None:
        """Wake up when the next line has waited long enough."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        timers = [
            timer for call in self._calls.values() for timer in (call.printout.get_timer(), call.turns.get_timer())
        ]
        due = min((timer for timer in timers if timer is not None), default=None)
        if self._loop is not None and due is not None:
            self._alarm = self._loop.call_at(due, self._wake, due)

    def _wake(self, due: float) -> None:
        now = max(due, self._now())  # a loop may be a millisecond early
        for call in self._calls.values():
            call.printout.handle_timer(now)
            call.turns.handle_timer(now)
        self._print_calls(*self._calls)

    def _now(self) -> float:
        return self._loop.time() if self._loop is not None else time.monotonic()

    def _lines(self, name: str, turn: Turn | Text) -> list[Text]:
        """A turn as a line, or as one for each of the voices in it; what may still change is dimmed."""
        if isinstance(turn, Text):
            return [turn]
        first = turn.segments[0]
        lines: list[Text] = []
        voice, before = None, ""
        for segment in turn.segments:
            for share in shares(segment):
                if not lines or share.voice != voice:
                    start = share.start if lines else first.start
                    speaker = named(segment, share.voice)
                    lines.append(self._spoken(self._prefix(name), start, speaker, style=_style(segment)))
                    voice, before = share.voice, ""
                lines[-1].append(" " * (before != "" and spaced(before, share.text)))
                lines[-1].append(share.text, style=_style(segment))
                before = share.text
        if turn.late and first.final:
            lines[-1].append("  (late)", style="yellow")
        if over := turn.over if turn.segments[-1].final else 0.0:
            lines[-1].append(f"  ({over:.1f} s over the other)", style="dim")
        return lines

    def _spoken(self, line: Text, start: float, speaker: str, *, style: str = "") -> Text:
        """When a turn began, and who spoke."""
        colour = self._colours.setdefault(speaker, COLOURS[len(self._colours) % len(COLOURS)])
        line.append(f"{clock(start)}  ", style="dim")
        return line.append(f"{speaker}{' ' * max(0, 8 - width(speaker))} ", style=f"{style} {colour}")

    def _prefix(self, call_id: str) -> Text:
        """The end of the call's id if there are several calls, else nothing."""
        named = self._name_calls or sum(call.live for call in self._calls.values()) > 1
        # Not the style of the Text: that would be the whole line's.
        return Text().append(f"{plain(call_id[-4:])}  " if named else "", style="dim")

    def _refresh(self) -> None:
        if self._live is not None:
            lines = [
                line
                for name, call in self._calls.items()
                for turn in call.turns.shown(call.printout.waiting)
                for line in self._lines(name, turn)
            ]
            self._live.update(Group(*lines, *([self._footer()] if self._footer else [])), refresh=True)

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=not self._console.is_terminal)


def _style(segment: Transcript) -> str:
    return "" if segment.final else "dim italic"
