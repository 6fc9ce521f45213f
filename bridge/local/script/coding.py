"""Coded audio: mu-law whose octets tell which word they belong to, so a test sees what became of each.

Every millisecond of a word, eight octets, says its own name:

    FE  w w w  m m  c c      w the word's index in the script, m the millisecond in the word, c a check,
                             each digit an octet from 00 to 7E

Silence is FF as ever. A reader finds the groups at any octet offset, steps over holes, and is not fooled by
groups that were cut or spliced. The digits are base 127 because 7F, mu-law's negative zero, is the one octet
that does not survive being turned into PCM and back.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from bridge.audio import SAMPLE_RATE, SAMPLES_PER_MS, silence
from bridge.errors import ConfigError
from bridge.local.script.format import Script

SYNC = b"\xfe"
BASE = 127
LONGEST_WORD_MS = BASE**2
MOST_WORDS = BASE**3
_CHECK = 16127
"""A prime below BASE squared."""

_GROUP = re.compile(rb"\xfe([\x00-\x7e]{7})")
_TAIL = SAMPLES_PER_MS - 1


class Group(NamedTuple):
    """One millisecond of a word, as found in the audio."""

    end: int
    """The octet after the group, counted from the first that the reader was fed."""
    word: int
    """Its index in `Script.words`."""
    ms: int


def encode(script: Script, duration: float | None = None) -> tuple[bytes, ...]:
    """The script as mu-law, one item per channel, `duration` seconds long; by default to the last word's
    end."""
    octets = round((script.duration if duration is None else duration) * SAMPLE_RATE)
    if len(script.words) > MOST_WORDS:
        raise ConfigError(f"coded audio holds at most {MOST_WORDS} words, the script has {len(script.words)}")
    index = 0
    channels = []
    for words in script.channels:
        audio = bytearray(silence(octets))
        for word in words:
            start, end = word.start_ms * SAMPLES_PER_MS, word.end_ms * SAMPLES_PER_MS
            if word.length_ms > LONGEST_WORD_MS:
                raise ConfigError(f"coded audio holds words of at most {LONGEST_WORD_MS} ms, {word.word!r} is longer")
            audio[start:end] = encode_word(index, word.length_ms)
            index += 1
        channels.append(bytes(audio[:octets]))
    return tuple(channels)


def encode_word(index: int, ms: int) -> bytes:
    """The octets of one word that is `ms` milliseconds long."""
    head = SYNC + bytes((index // BASE**2, index // BASE % BASE, index % BASE))
    return b"".join(
        head + bytes((at // BASE, at % BASE, check // BASE, check % BASE))
        for at, check in ((at, _check(index, at)) for at in range(ms))
    )


def _check(index: int, ms: int) -> int:
    """Differs between any two milliseconds of a word, so a splice of groups does not pass for another."""
    return (index * 5 + ms * 131 + 1) % _CHECK


def decode(mulaw: bytes) -> list[Group]:
    """Every group in a piece of audio."""
    return list(GroupReader().feed(mulaw))


class GroupReader:
    """Finds the groups in one channel's audio, however it is cut into pieces."""

    def __init__(self) -> None:
        self.position = 0
        """Octets fed so far."""
        self._tail = b""

    def feed(self, mulaw: bytes) -> Iterator[Group]:
        """The groups that are complete with this piece."""
        audio = self._tail + mulaw
        offset = self.position - len(self._tail)
        self.position += len(mulaw)
        if SYNC not in audio:
            self._tail = b""
            return
        done = 0
        for match in _GROUP.finditer(audio):
            w2, w1, w0, m1, m0, c1, c0 = match[1]
            index, ms = (w2 * BASE + w1) * BASE + w0, m1 * BASE + m0
            if c1 * BASE + c0 == _check(index, ms):
                done = match.end()
                yield Group(offset + done, index, ms)
        self._tail = audio[max(done, len(audio) - _TAIL) :]
