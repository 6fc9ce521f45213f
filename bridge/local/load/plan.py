"""Who calls when, what is sent in each call, and what goes wrong: pure.

Every caller has a line, on which calls follow each other. No two lines send at the same moment: the frames of all lines
lie evenly in the 20 ms of a frame, and the two tracks of a call half of that apart, each first on half of the lines.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import urlsplit

from bridge.audio import SAMPLE_RATE
from bridge.errors import ConfigError
from bridge.events import TRACKS
from bridge.local.stream import CallerFaults, CallerOptions, Timed, messages
from bridge.local.wav import Recording

PERIOD = 0.02
"""Seconds of audio in a frame."""
APART = PERIOD / 2
"""Seconds between the frames of a call's two tracks."""

_PLACES = 8  # of the recording, at which calls begin
_EARLIEST, _LATEST = 0.3, 0.7  # of a call, between which its socket breaks
_GOLDEN = 0.618  # spreads the breaks over calls that follow each other


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong on the way; nothing by default."""

    lost: float = 0.0
    """Share of the frames that are never sent."""
    repeated: float = 0.0
    """Share of the frames that come twice."""
    reordered: float = 0.0
    """Share of the frames that come late."""
    dropped: float = 0.0
    """Share of the calls whose socket breaks once; another stream of the call comes then, as after a refork."""
    away: float = 1.0
    """Seconds between these two."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One socket of a call."""

    after: float
    """Seconds from the end of the stream before, or from the beginning of the call."""
    start: float
    """Seconds of the call's audio before it."""
    options: CallerOptions
    recording: Recording
    faults: CallerFaults

    @property
    def breaks(self) -> bool:
        """Whether it ends without a `stop`."""
        return self.faults.drop_after is not None

    def messages(self) -> Iterator[Timed]:
        """What is sent, and when, in seconds from its beginning; the second track's frames `APART` later."""
        before = -1.0
        for due, text in messages(self.recording, self.options, self.faults):
            yield due + APART * (due == before), text
            before = due


@dataclass(frozen=True)
class Plan:
    """A load."""

    calls: int
    """At once; so many lines."""
    seconds: float
    """Of each call."""
    ramp: float = 0.0
    """Seconds in which the lines begin, one after the other."""
    minutes: float = 0.0
    """For which every line begins another call when one is over; 0: each has one."""
    faults: Faults = Faults()

    def __post_init__(self) -> None:
        if self.faults.dropped and self.seconds < 0.5:
            raise ConfigError("A call whose socket breaks takes half a second at least.")

    def begins(self, line: int) -> float:
        """Seconds from the start to the first call of a line."""
        return self.ramp * line / self.calls

    def phase(self, line: int) -> float:
        """Seconds within a frame's time at which a line sends."""
        return APART * line / self.calls

    def goes_on(self, elapsed: float) -> bool:
        """Whether a line begins another call so many seconds after the start."""
        return elapsed < self.minutes * 60

    def drops(self, number: int) -> bool:
        """Whether the socket of the number-th call, counted over all lines, breaks: evenly among them."""
        share = self.faults.dropped
        return int((number + 1) * share) > int(number * share)

    def tracks(self, line: int) -> tuple[str, ...]:
        """In the order in which a line sends them."""
        return TRACKS if line % 2 == 0 else TRACKS[::-1]

    def streams(self, line: int, number: int, audio: "Audio", options: CallerOptions) -> list[Stream]:
        """The streams of a call, which has the ids and parameters of `options`."""
        faults, seconds = self.faults, self.seconds
        options = replace(options, tracks=self.tracks(line), seed=number)
        usual = CallerFaults(lost=faults.lost, repeated=faults.repeated, reordered=faults.reordered)
        recording = audio.of_line(line)
        if not self.drops(number):
            return [Stream(0.0, 0.0, options, recording, usual)]
        whole = _EARLIEST + (_LATEST - _EARLIEST) * (number * _GOLDEN % 1.0)
        cut = round(seconds * whole / PERIOD) * PERIOD
        again = replace(options, stream_id=CallerOptions().stream_id)
        return [
            Stream(0.0, 0.0, options, recording, replace(usual, drop_after=cut)),
            Stream(faults.away, cut, again, _from(recording, cut), usual),
        ]


class Audio:
    """A recording, repeated until it is as long as a call. Lines begin at different places of it, so that not all
    callers speak at once."""

    def __init__(self, recording: Recording, seconds: float) -> None:
        if not recording.seconds:
            raise ConfigError("There is nothing to play: the recording is empty.")
        self._recording = recording
        self._samples = round(seconds * SAMPLE_RATE)

    def of_line(self, line: int) -> Recording:
        """What a line says in each of its calls; few lines have one of their own."""
        return self._made[line % _PLACES]

    @cached_property
    def _made(self) -> list[Recording]:
        length = len(self._recording.inbound)
        starts = [length * place // _PLACES for place in range(_PLACES)]
        return [Recording(*(self._looped(track, start) for track in self._recording)) for start in starts]

    def _looped(self, track: bytes, start: int) -> bytes:
        if not track:
            return track
        times = (start + self._samples) // len(track) + 1
        return (track * times)[start : start + self._samples]


def _from(recording: Recording, seconds: float) -> Recording:
    samples = round(seconds * SAMPLE_RATE)
    return Recording(*(track[samples:] for track in recording))


def is_this_machine(address: str) -> bool:
    """Whether a URL leads to loopback: by its name, which is not looked up."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
