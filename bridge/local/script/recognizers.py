"""Two recognizers that know the script.

`CodedRecognizer` reads coded audio: it says what really reached it, word by word and to the millisecond, so a
test sees every octet that was lost, late or on the wrong channel. `TimedRecognizer` does not listen at all:
it says the script's words as the audio's time passes, at next to no cost, for demonstrations and benchmarks.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from bridge.audio import SAMPLES_PER_MS
from bridge.local.recognition import Abilities, Heard, Listening
from bridge.local.script.coding import Group, GroupReader
from bridge.local.script.format import Script, ScriptWord
from bridge.local.script.segments import Hearing, Segmenter


class CodedRecognizer:
    """Listens to coded audio.

    A word's start and end are where its first and last millisecond were heard; its confidence is the share of
    its milliseconds that were heard, in their order. Audio that comes again, as after a reconnect, is heard
    again.
    """

    def __init__(self, script: Script, listening: Listening, channel: int = 0) -> None:
        self._words = script.words
        self._reader = GroupReader()
        self._segments = Segmenter(listening, channel)
        self._word = -1
        self._first_ms = self._last_ms = 0
        self.unknown = 0
        """Groups of words that the script does not have."""

    def receive_audio(self, mulaw: bytes) -> Sequence[Heard]:
        heard: list[Heard] = []
        for group in self._reader.feed(mulaw):
            if self._segments.due < group.end:
                heard += self._segments.pass_time(group.end - 1)
            heard += self._hear(group)
        if self._segments.due <= self._reader.position:
            heard += self._segments.pass_time(self._reader.position)
        return heard

    def flush(self) -> Sequence[Heard]:
        return self._segments.flush(self._reader.position)

    def _hear(self, group: Group) -> Sequence[Heard]:
        if group.word >= len(self._words) or group.ms >= self._words[group.word].length_ms:
            self.unknown += 1
            return ()
        hearing = self._segments.open_word
        if hearing is None or group.word != self._word or self._begins_again(hearing, group):
            return self._begin(group)
        if group.ms > self._last_ms:
            self._last_ms = group.ms
            hearing.heard += 1
        hearing.end = group.end
        over = group.end + (hearing.total - 1 - group.ms) * SAMPLES_PER_MS
        if over != hearing.over:
            hearing.over = over
            self._segments.plan()
        return ()

    def _begins_again(self, hearing: Hearing, group: Group) -> bool:
        """The word was heard to its end and is now back at its beginning: said once more, not shuffled."""
        return self._last_ms == hearing.total - 1 and group.ms <= self._first_ms

    def _begin(self, group: Group) -> Sequence[Heard]:
        self._word, self._first_ms, self._last_ms = group.word, group.ms, group.ms
        word = self._words[group.word]
        start, total = group.end - SAMPLES_PER_MS, word.length_ms
        over = group.end + (total - 1 - group.ms) * SAMPLES_PER_MS
        return self._segments.begin(Hearing(word, start, group.end, over, 1, total))


class TimedRecognizer:
    """Says one channel's words when their time has come, whatever the audio holds; each word is said once."""

    def __init__(self, words: Sequence[ScriptWord], listening: Listening, channel: int = 0) -> None:
        self._words = words
        self._next = 0
        self._segments = Segmenter(listening, channel)
        self._position = 0
        self._due = 0

    def receive_audio(self, mulaw: bytes) -> Sequence[Heard]:
        self._position += len(mulaw)
        return self._catch_up() if self._position >= self._due else ()

    def flush(self) -> Sequence[Heard]:
        return self._catch_up(settle=True)

    def _catch_up(self, *, settle: bool = False) -> Sequence[Heard]:
        heard: list[Heard] = []
        while (start := self._next_start()) < self._position:
            word, self._next = self._words[self._next], self._next + 1
            heard += self._segments.pass_time(start)
            end, total = word.end_ms * SAMPLES_PER_MS, word.length_ms
            heard += self._segments.begin(Hearing(word, start, end, end, total, total))
        heard += (self._segments.flush if settle else self._segments.pass_time)(self._position)
        self._due = min(self._segments.due, start + 1)
        return heard

    def _next_start(self) -> int:
        if self._next == len(self._words):
            return sys.maxsize
        return self._words[self._next].start_ms * SAMPLES_PER_MS


@dataclass(frozen=True)
class CodedRecognizers:
    """The factory of coded recognizers: one script for all channels, so crossed channels show."""

    script: Script
    in_thread: ClassVar[bool] = False
    """So quick that a change of thread would cost more than the work."""

    @cached_property
    def abilities(self) -> Abilities:
        return _abilities(self.script)

    def __call__(self, channel: int, listening: Listening) -> CodedRecognizer:
        return CodedRecognizer(self.script, listening, channel)


@dataclass(frozen=True)
class TimedRecognizers:
    """The factory of timed recognizers; a channel that the script does not have is silent."""

    script: Script
    in_thread: ClassVar[bool] = False

    @cached_property
    def abilities(self) -> Abilities:
        return _abilities(self.script)

    def __call__(self, channel: int, listening: Listening) -> TimedRecognizer:
        channels = self.script.channels
        return TimedRecognizer(channels[channel] if channel < len(channels) else (), listening, channel)


def _abilities(script: Script) -> Abilities:
    """What a script tells of its words."""
    return Abilities(
        voices=any(word.voice is not None for word in script.words),
        languages=any(word.language is not None for word in script.words),
        alternatives=any(word.instead is not None for word in script.words),
    )
