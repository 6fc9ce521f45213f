"""Where the audio of a stream goes on that another process has heard up to then: found by what both have heard.

Two streams of one call carry the same octets, on clocks that have nothing to do with each other. One process has heard
the call up to a moment, of which it leaves a `Tail`; another has heard a second stream since before that. What
both have heard lies at one distance only, unless it repeats, as a tone does, or is silent: then the answer is
`Unsure.NOT_YET`, and more must be heard by both. Frames may have been lost on either side, be cut differently, come
twice or out of order.

Everything is counted in samples of the call; a stream's stamps are its timestamps in samples.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from typing import NamedTuple

from bridge.audio import CHANNELS, SAMPLES_PER_MS, SILENCE
from bridge.carriers.messages import Media
from bridge.events import TRACKS

PROBE = 20 * SAMPLES_PER_MS
"""Octets that are looked for: as many as a carrier's frame has."""

BLOCK = 5 * SAMPLES_PER_MS
"""Octets that are compared at a time."""

ENOUGH = 40 * SAMPLES_PER_MS
"""Octets that are alike, and not silent, before a place is believed."""

APART = 10 * SAMPLES_PER_MS
"""Octets of silence on one side by which one place must be worse than another: fewer tell nothing."""

TOLERANCE = 5 * SAMPLES_PER_MS
"""Samples by which a timestamp may be off the end of the audio before it, and still continue it: they wobble by less,
and what is lost is more. Audio that is cut here for nothing is found in two parts."""

_SKEW = 100 * SAMPLES_PER_MS  # by which the tracks of a stream may be apart
_STRETCH = 20 * BLOCK  # octets that are compared at once where there is no doubt
_HITS = 12  # probes that were found; more would tell the same
_PLACES = 60  # beyond so many a sound repeats


class Tail(NamedTuple):
    """What a process has heard of a call last."""

    start: int
    """Position of its first sample."""
    audio: bytes
    """Interleaved, two channels of mu-law."""

    @property
    def end(self) -> int:
        """Where the other stream goes on."""
        return self.start + len(self.audio) // CHANNELS


class Unsure(Enum):
    """Why there is no seam."""

    NOT_YET = auto()
    """What both have heard is silent, or repeats, or is too short."""
    NONE = auto()
    """What the stream has brought is not in the tail."""


class Expected(NamedTuple):
    """Where the clocks of two processes put the stream."""

    shift: int
    """What to add to a stamp to get a position."""
    within: int
    """Samples by which that may be off."""


@dataclass(frozen=True, slots=True)
class Seam:
    """What goes on after a tail."""

    shift: int
    """What to add to a stamp to get a position."""
    frames: list[Media]
    """What the stream has brought, in the order in which it came, without what lies before the end of the tail."""
    sure: tuple[str, ...]
    """The tracks whose own audio tells; the others follow these, to the millisecond."""


class _Line(NamedTuple):
    """Frames of one track that follow each other."""

    stamp: int
    audio: bytes
    frames: tuple[tuple[int, Media], ...]
    """Each with its place among all that came."""

    def starts(self, shift: int) -> dict[int, int]:
        """The position of each frame, by its place among all that came."""
        at, found = self.stamp + shift, {}
        for place, frame in self.frames:
            found[place] = at
            at += len(frame.payload)
        return found


class _Match(NamedTuple):
    """How well a line fits at a place."""

    shift: int
    alike: int
    """Octets, those of silence aside."""
    silent: int
    """Octets that are silent on one side only, as where frames were lost."""
    broken: bool
    """Something else stands there, and what comes before it was not compared; or there is more silence than sound."""


def find(tail: Tail, frames: Sequence[Media], expected: Expected | None = None) -> Seam | Unsure:
    """The seam between a tail and a stream's first frames, or why there is none. `expected`: a sound that repeats is
    looked for near it only; without it anywhere."""
    doubts: list[Unsure] = []
    sure: dict[str, int] = {}
    starts: dict[int, int] = {}
    lines = {track: _lines(frames, track) for track in TRACKS}
    for channel, track in enumerate(TRACKS):
        heard, near = tail.audio[channel::CHANNELS], expected
        if sure:
            near = Expected(next(iter(sure.values())), _SKEW)
        for line in lines[track]:
            place = _place(line, heard, tail.start, near)
            if isinstance(place, Unsure):
                doubts.append(place)
                continue
            sure[track] = place
            near = Expected(place, 2 * TOLERANCE)
            starts |= line.starts(place)
    if not sure:
        return Unsure.NONE if Unsure.NONE in doubts and Unsure.NOT_YET not in doubts else Unsure.NOT_YET
    shift = next(iter(sure.values()))
    for track in TRACKS:
        for line in lines[track]:
            starts = line.starts(sure.get(track, shift)) | starts
    return Seam(shift, list(_after(tail.end, frames, starts, shift)), tuple(sure))


def by_clock(end: int, frames: Sequence[Media], shift: int) -> Seam:
    """As `find`, where nothing but a clock tells."""
    starts = {place: frame.at * SAMPLES_PER_MS + shift for place, frame in enumerate(frames)}
    return Seam(shift, list(_after(end, frames, starts, shift)), ())


def is_distinctive(tail: Tail, since: int, within: int) -> bool:
    """Whether what was heard from a position on would tell another process, which has heard it too, where it goes on.

    It does if some of it is nowhere else in the tail, so many samples around its place.
    """
    return any(_tells(tail.audio[channel::CHANNELS], since - tail.start, within) for channel in range(CHANNELS))


def _tells(heard: bytes, since: int, within: int) -> bool:
    alone = 0
    for offset in range(len(heard) - PROBE, max(0, since) - 1, -PROBE):
        probe = heard[offset : offset + PROBE]
        if _is_lively(probe):
            begin, until = max(0, offset - within), offset + within + PROBE
            alone += len(list(islice(_all(heard, probe, begin, until), 2))) == 1
        if alone * PROBE > ENOUGH:
            return True
    return False


def _after(end: int, frames: Iterable[Media], starts: Mapping[int, int], shift: int) -> Iterator[Media]:
    """What of the frames lies after the end of the tail. `starts`: the position of each, but of those that came
    before."""
    for place, frame in enumerate(frames):
        if place not in starts:
            continue
        surplus = end - starts[place]
        if surplus <= 0:
            yield frame
        elif surplus < len(frame.payload):
            at = (end - shift + SAMPLES_PER_MS // 2) // SAMPLES_PER_MS
            yield Media(frame.track, at, frame.sequence, frame.payload[surplus:])


def _lines(frames: Iterable[Media], track: str) -> list[_Line]:
    """What a stream has brought of a track, in order and each frame once, cut where something is missing."""
    ordered = sorted(
        ((place, frame) for place, frame in enumerate(frames) if frame.track == track and frame.payload),
        key=lambda one: (one[1].at, one[1].sequence or 0),
    )
    lines: list[list[tuple[int, Media]]] = []
    numbers: set[int | None] = set()
    for place, frame in ordered:
        if frame.sequence in numbers:
            continue
        numbers |= {frame.sequence} - {None}
        last = lines[-1][-1][1] if lines else None
        if last is None or abs((frame.at - last.at) * SAMPLES_PER_MS - len(last.payload)) >= TOLERANCE:
            lines.append([])
        lines[-1].append((place, frame))
    return [
        _Line(line[0][1].at * SAMPLES_PER_MS, b"".join(frame.payload for _, frame in line), tuple(line))
        for line in lines
    ]


def _place(line: _Line, heard: bytes, start: int, expected: Expected | None) -> int | Unsure:
    """What to add to the stamps of a line, by what `heard`, which begins at `start`, has of it."""
    places = _places(line, heard, start, expected)
    if isinstance(places, Unsure):
        return places
    matches = [_compare(line, heard, place - start, place - line.stamp) for place in places]
    whole = sorted((match for match in matches if not match.broken), key=lambda match: match.silent)
    if whole:
        best = whole[0]
        rivals = [other for other in whole[1:] if other.silent < best.silent + APART]
        return best.shift if best.alike >= ENOUGH and not rivals else Unsure.NOT_YET
    # One of them, or both, have lost something, and timestamps wobble: what came last is what counts.
    best, *others = sorted(matches, key=lambda match: -match.alike)
    rivals = [other for other in others if 2 * other.alike > best.alike]
    return best.shift if best.alike >= ENOUGH and not rivals else Unsure.NOT_YET


def _places(line: _Line, heard: bytes, start: int, expected: Expected | None) -> set[int] | Unsure:
    """Positions at which a line may begin, by its latest probes; there is one at least."""
    first, last = start - len(line.audio), start + len(heard)  # of the line's beginning
    if expected:
        first = max(first, line.stamp + expected.shift - expected.within)
        last = min(last, line.stamp + expected.shift + expected.within)
    places: set[int] = set()
    both = found = 0  # probes that are in the tail wherever the line begins, and those of them that were found
    for offset in range(len(line.audio) - PROBE, -1, -(PROBE // 2)):
        probe = line.audio[offset : offset + PROBE]
        begin, until = max(0, first + offset - start), last + offset - start + PROBE
        if not _is_lively(probe) or until <= begin:
            continue
        alike = list(_all(heard, probe, begin, until))
        places.update(start + at - offset for at in alike)
        if len(places) > _PLACES:
            return Unsure.NOT_YET
        if begin and until <= len(heard):
            both += 1
            found += bool(alike)
        if found >= _HITS:
            break
    if places:
        return places
    return Unsure.NONE if both * (PROBE // 2) >= 2 * ENOUGH else Unsure.NOT_YET


def _all(heard: bytes, probe: bytes, begin: int, until: int) -> Iterator[int]:
    at = heard.find(probe, begin, until)
    while at >= 0:
        yield at
        at = heard.find(probe, at + 1, until)


def _compare(line: _Line, heard: bytes, at: int, shift: int) -> _Match:
    """A line and a tail, from the end of what they have in common back to where they part. `at`: where the line begins
    in the tail."""
    alike = silent = 0
    end, begin = min(len(line.audio), len(heard) - at), max(0, -at)
    step = _STRETCH
    while end > begin:
        stop = max(begin, end - step)
        one, other = line.audio[stop:end], heard[at + stop : at + end]
        if one == other:
            alike += len(one) - one.count(SILENCE) if len(set(one)) > 2 else 0
            step = _STRETCH
        elif step > BLOCK:
            step = BLOCK  # look closer
            continue
        elif (edge := _edge(one, other)) is None:
            return _Match(shift, alike, silent, broken=True)
        else:
            silent += edge
        end = stop
    return _Match(shift, alike, silent, broken=2 * silent > alike)


def _edge(one: bytes, other: bytes) -> int | None:
    """Octets of silence with which one side of a block begins or ends, or all of it, where the rest is alike; None:
    there is more between them."""
    if not one.strip(SILENCE) or not other.strip(SILENCE):
        return len(one)
    for silent, full in ((one, other), (other, one)):
        lead = len(silent) - len(silent.lstrip(SILENCE))
        if lead and silent[lead:] == full[lead:]:
            return lead
        trail = len(silent.rstrip(SILENCE))
        if trail < len(silent) and silent[:trail] == full[:trail]:
            return len(silent) - trail
    return None


def _is_lively(probe: bytes) -> bool:
    """Whether it says where it is: silence, and the hiss of a line that is nearly silent, do not."""
    return len(set(probe)) > 4
