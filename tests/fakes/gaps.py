"""Gaps in seconds, as they are easiest to read."""

from bridge.align import Gap
from bridge.audio import samples
from bridge.events import Cause, Track
from bridge.spans import Span


def gap(track: Track, start: float, end: float, missing: float, why: Cause) -> Gap:
    """From `start` to `end`, with so much silence in it."""
    return Gap(track, Span(samples(start), samples(end)), samples(missing), why)
