"""Deepgram's pre-recorded API: what to ask of it, and its answer as the finals that a live socket would have given.

For audio that was kept while Deepgram was away. What is asked follows from the options of the live request, so that
both parts of a transcript are made alike. Of the answer, one JSON object, the utterances matter: each becomes one final
that ends a turn. Times are seconds of the audio that was sent; where in the call that lies is for others to know.

The audio goes out as a WAV file, because of raw audio this API is not told the channels: Deepgram reads `channels` for
streams only, and wants `encoding` and `sample_rate` left out where a header says them.
Sources: https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded and the pages on channels, sample
rate, utterances and utterance split beside it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from msgspec.structs import replace
from yarl import URL

from bridge.audio import CHANNELS, SAMPLE_RATE, samples
from bridge.deepgram import flux_options
from bridge.deepgram.extras import Model, read_entities, read_hits, read_model
from bridge.deepgram.options import Options, Pairs
from bridge.deepgram.words import Oddities, clean, languages, number, read_words, share
from bridge.errors import RemoteProtocolError
from bridge.recognition import Result, Word
from bridge.spans import Span
from bridge.writing import joined

CONTENT_TYPE = "audio/wav"

_ASKED: Pairs = (("multichannel", "true"), ("utterances", "true"))
_LEFT_OUT = frozenset(
    (
        # For live audio only.
        *("interim_results", "endpointing", "utterance_end_ms", "vad_events", "no_delay"),
        # With a callback the transcript would go there, and the answer would not have it.
        *("callback", "callback_method"),
        *dict(_ASKED),
    )
)
_SHORTEST_PAUSE = 100  # milliseconds; between the words of one sentence there is as much
_UNREADABLE = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)


@dataclass(frozen=True, slots=True)
class Transcribed:
    """What was said in a recording."""

    results: tuple[Result, ...]
    """Finals of both channels, in the order of their start; silence has none."""
    request_id: str | None
    skipped: int
    """Utterances, words, and what stands beside them, that could not be read."""
    model: Model | None = None
    """The one that heard it."""


def url(origin: str, options: Options) -> str:
    """Where to post a recording. `origin` is that of the live API: `wss://…`, or `ws://…` for `http://…`."""
    ascii_origin = str(URL(origin)).rstrip("/")  # a host with an international name
    return f"http{ascii_origin.removeprefix('ws')}/v1/listen?{query(options)}"


def query(options: Options) -> str:
    """The query string: of the live options those that this API has, utterances, and where those are to be split."""
    asked = flux_options.recorded(options.pairs) if options.is_flux else options.pairs
    pairs = [pair for pair in asked if pair[0] not in _LEFT_OUT]
    pause = _pause(options)
    if pause and options.get("utt_split") is None:
        pairs.append(("utt_split", f"{pause / 1000:g}"))
    return urlencode([*_ASKED, *pairs])


def parse(answer: bytes, seconds: float) -> Transcribed:
    """The body of a 200; `seconds` of audio were sent, and nothing is said to have been said outside of them.

    A word or an utterance that cannot be read is skipped and counted, since one bad one must not cost the others.
    Raises RemoteProtocolError for what is no transcript at all.
    """
    try:
        transcript = json.loads(answer)
        pieces = list(_pieces(transcript["results"]))
        channels = transcript["results"].get("channels")
    except (*_UNREADABLE, RecursionError) as error:
        raise RemoteProtocolError(f"not a transcript: {type(error).__name__}") from None
    reader = _Reader(seconds)
    results = [final for channel, piece in pieces if (final := reader.read(channel, piece))]
    results.sort(key=lambda final: (final.span.start, final.channel))
    for channel, heard in enumerate(channels if isinstance(channels, list) else ()):
        reader.add_extras(results, channel, heard)
    return Transcribed(tuple(results), _request_id(transcript), reader.skipped, _model(transcript))


def _pause(options: Options) -> int | None:
    """Milliseconds of silence that end a turn live; None: nothing is said of it, or less than would make sense here."""
    for name in ("endpointing", "utterance_end_ms"):
        value = options.get(name) or ""
        if value.isdecimal() and int(value) >= _SHORTEST_PAUSE:
            return int(value)
    return None


def _pieces(results: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """What was said, by channel: utterances, or whole channels where a server does not know utterances."""
    utterances = results.get("utterances")
    if utterances is not None:
        for utterance in utterances:
            yield utterance.get("channel", 0) if isinstance(utterance, dict) else None, utterance
        return
    for channel, heard in enumerate(results["channels"]):
        for best in heard["alternatives"][:1]:
            yield channel, best


def _request_id(transcript: dict[str, Any]) -> str | None:
    metadata = transcript.get("metadata")
    request_id = metadata.get("request_id") if isinstance(metadata, dict) else None
    return str(request_id)[:80] if request_id else None


def _model(transcript: dict[str, Any]) -> Model | None:
    """The first of those in `metadata.model_info`, which are listed by their id."""
    metadata = transcript.get("metadata")
    models = metadata.get("model_info") if isinstance(metadata, dict) else None
    return read_model(next(iter(models.values()), None)) if isinstance(models, dict) else None


class _Reader:
    """Reads the pieces of one answer, and counts what it cannot."""

    def __init__(self, seconds: float) -> None:
        self.skipped = 0
        self._seconds = seconds

    def read(self, channel: Any, piece: Any) -> Result | None:
        """One utterance, or one alternative of a channel; None for silence, and for what cannot be read."""
        if not isinstance(channel, int) or not 0 <= channel < CHANNELS or not isinstance(piece, dict):
            self.skipped += 1
            return None
        odd = Oddities()
        within = self._place(piece)
        confidence = share(piece.get("confidence")) or 0.0
        words = tuple(self._inside(word) for word in read_words(piece.get("words"), within, confidence, odd))
        self.skipped += odd.words
        text = clean(piece.get("transcript")) or joined(word.text for word in words)
        if not text:
            return None
        if within is None and not words:
            self.skipped += 1  # nothing tells where it was said
            return None
        return Result(
            channel=channel,
            span=_nearest(within) if within else Span(words[0].span.start, max(word.span.end for word in words)),
            text=text,
            confidence=confidence,
            words=words,
            is_final=True,
            ends_turn=True,
            languages=languages(piece.get("languages"), odd),
        )

    def add_extras(self, results: list[Result], channel: int, heard: Any) -> None:
        """Give the finals of one channel what the answer says of the whole channel: hits, and entities, which count all
        its words. Further alternatives are of the whole channel, too, and cannot be told apart by its utterances."""
        alternatives = heard.get("alternatives") if isinstance(heard, dict) else None
        best = alternatives[0] if isinstance(alternatives, list) and alternatives else None
        if not isinstance(best, dict):
            return
        odd = Oddities()
        hits = read_hits(heard.get("search"), odd)
        mine = [place for place, result in enumerate(results) if result.channel == channel]
        words = sum(len(results[place].words) for place in mine)
        entities = read_entities(best.get("entities"), best.get("words"), words, odd)
        self.skipped += odd.fields
        first = 0
        for place in mine:
            result = results[place]
            end = first + len(result.words)
            results[place] = replace(
                result,
                hits=tuple(hit for hit in hits if result.span.start <= hit.span.middle < result.span.end),
                entities=tuple(
                    replace(entity, words=entity.words.moved(-first))
                    for entity in entities
                    if first <= entity.words.start and entity.words.end <= end
                ),
            )
            first = end

    def _place(self, piece: dict[str, Any]) -> tuple[float, float] | None:
        """Seconds within the audio that was sent. Deepgram's numbers are of single precision, and -1 has been seen."""
        start, end = number(piece.get("start")), number(piece.get("end"))
        if start is None or end is None:
            return None
        start = min(max(0.0, start), self._seconds)
        return start, min(max(start, end), self._seconds)

    def _inside(self, word: Word) -> Word:
        return replace(word, span=word.span.clipped(0, round(self._seconds * SAMPLE_RATE)))


def _nearest(within: tuple[float, float]) -> Span:
    return Span(samples(within[0]), samples(within[1]))
