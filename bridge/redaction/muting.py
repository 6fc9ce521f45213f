"""Where recordings are silent, because of what was taken out of the words."""

from collections.abc import Iterable

from bridge.audio import CHANNELS, SAMPLE_RATE, SAMPLES_PER_MS
from bridge.redaction.redactor import Past
from bridge.spans import Span, SpanSet

PADDING = 200 * SAMPLES_PER_MS
"""Samples around it: a recognizer's times of words are not that exact."""

_SEAM = SAMPLE_RATE
"""Samples between two of one kind that are silent too: most of a number's groups follow one another like that."""


def muted(taken_out: Iterable[Past]) -> list[tuple[int, Span]]:
    """By channel, in order, none over another. Positions are samples of the call."""
    kinds: dict[tuple[int, str], SpanSet] = {}
    for channel, kind, span in taken_out:
        spans = kinds.setdefault((channel, kind), SpanSet())
        spans.add(max(0, span.start - PADDING), span.end + PADDING, _SEAM)
    channels = [SpanSet() for _ in range(CHANNELS)]
    for (channel, _), spans in kinds.items():
        channels[channel].update(spans)
    return [(channel, span) for channel, spans in enumerate(channels) for span in spans]
