"""What `bridge stream` shows: words as they settle, timed lines, captions at the end, or every event as JSON."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Protocol

from rich.console import Console
from rich.text import Text

from bridge.cli.conversation import ConversationPrinter
from bridge.events import Event, TranscriptFinal, TranscriptionInterrupted
from bridge.text import clock, plain
from bridge.transcript import render

_BAR = 24  # columns


class Shown(Protocol):
    """Takes events, and shows them in its way while `showing` lasts."""

    def receive(self, event: Event) -> None:
        """One event."""

    def showing(self, seconds: float | None, position: Callable[[], float]) -> contextlib.AbstractContextManager[None]:
        """`seconds`: how long the source is, if that is known; `position`: how far it has been sent."""


def printer(console: Console, form: str, *, timestamps: bool, json_lines: bool) -> Shown:
    """What shows events in this form."""
    if json_lines:
        return _Lines(console, _as_json)
    if form in ("srt", "vtt"):
        return _Captions(console, form)
    return _Lines(console, _timed) if timestamps else _Conversation(console)


class _Conversation:
    """On a terminal with what is still open, and how much of a file is left."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printer: ConversationPrinter | None = None

    def receive(self, event: Event) -> None:
        assert self._printer
        self._printer.receive({"id": event.call_id}, json.loads(event.to_json()))

    @contextlib.contextmanager
    def showing(self, seconds: float | None, position: Callable[[], float]) -> Iterator[None]:
        footer = (lambda: _progress(position(), seconds)) if seconds else None
        with ConversationPrinter(self._console, footer=footer) as self._printer:
            yield


class _Lines:
    """Each event that says something in one line of plain text."""

    def __init__(self, console: Console, line: Callable[[Event], str | None]) -> None:
        self._console = console
        self._line = line

    def receive(self, event: Event) -> None:
        if (line := self._line(event)) is not None:
            self._console.print(line, markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def showing(self, seconds: float | None, position: Callable[[], float]) -> Iterator[None]:
        yield


class _Captions:
    """All of them at the end: a caption waits for what is said at its time on the other channel."""

    def __init__(self, console: Console, form: str) -> None:
        self._console = console
        self._render = render.srt if form == "srt" else render.vtt
        self._finals: list[TranscriptFinal] = []

    def receive(self, event: Event) -> None:
        if isinstance(event.data, TranscriptFinal):
            self._finals.append(event.data)
        elif isinstance(event.data, TranscriptionInterrupted):
            Console(stderr=True).print(f"transcription interrupted: {plain(event.data.reason)}", markup=False)

    @contextlib.contextmanager
    def showing(self, seconds: float | None, position: Callable[[], float]) -> Iterator[None]:
        try:
            yield
        finally:
            self._console.print(self._render(self._finals), markup=False, soft_wrap=True, end="")


def _as_json(event: Event) -> str:
    return event.to_json()


def _timed(event: Event) -> str | None:
    """A final and its seconds, as Deepgram's starter kit prints them."""
    final = event.data
    if isinstance(final, TranscriptFinal) and final.text:
        return f"{plain(final.speaker)}: {plain(final.text)} [{final.start:.2f} - {final.end:.2f}]"
    return None


def _progress(position: float, seconds: float) -> Text:
    filled = round(_BAR * min(1.0, position / seconds))
    bar = "█" * filled + "░" * (_BAR - filled)
    left = clock(max(0.0, seconds - position))
    return Text(f"{bar} {clock(position)} of {clock(seconds)}, {left} left", style="dim")
