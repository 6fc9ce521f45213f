"""What our Deepgram says of a call: an interim a second, and every four seconds finals that cover all audio.

The speaker changes with every utterance. The silent channel gets its finals too, without words, as Deepgram sends them.
The first word of a final is a tag, by which the webhook knows it.
"""

import json
import re
from functools import cache
from typing import Any, NamedTuple

from bridge.deepgram.masking import frame
from scripts.benchmark.wire import TEXT

UTTERANCE = 4
"""Seconds."""
TAG = re.compile(rb"zq(\d{5})x(\d{3})")
_NO_TAG = b"zq?????x???"
_PHASES = 16
_WORDS = ("for calling the order was shipped on monday morning and should arrive today " * 2).split()
_MODEL = {"name": "general-nova-3", "version": "2025-04-17.21547", "arch": "nova-3"}


class Said(NamedTuple):
    """One message."""

    data: bytes
    """As the wire has it."""
    tag: tuple[int, int] | None = None
    """Of a final with words: the numbers of the call and of the utterance."""


class Talk:
    """Of one call; the results of different calls come at different moments of a second."""

    def __init__(self, call: int) -> None:
        self._call = call
        self._late = call % _PHASES / _PHASES  # seconds from the audio to its result
        self._said = 0  # seconds of audio that have been spoken of

    def receive(self, heard: float) -> list[Said]:
        """What is said upon so many seconds of audio."""
        said: list[Said] = []
        while self._said + 1 + self._late <= heard:
            said += self._of_second(self._said)
            self._said += 1
        return said

    def finish(self, heard: float) -> list[Said]:
        """What is said at the end of the audio: finals for the rest, and what it was in all."""
        start = float(self._said // UTTERANCE * UTTERANCE)
        rest = [_results(channel, start, heard - start, 0, True) for channel in (0, 1)]
        about = _message({"type": "Metadata", "request_id": "r", "channels": 2, "duration": round(heard, 3)})
        return [Said(data) for data in (*rest, about)]

    def _of_second(self, second: int) -> list[Said]:
        number, part = divmod(second, UTTERANCE)
        start, words = float(number * UTTERANCE), 8 + (number + self._call) % 5
        speaker = number % 2
        if part < UTTERANCE - 1:
            interim = _results(speaker, start, part + 1.0, words * (part + 1) // UTTERANCE, False)
            return [*(_turn(speaker, start) if part == 0 else []), Said(interim)]
        tag = (self._call, number % 1000)
        final = _results(speaker, start, float(UTTERANCE), words, True)
        final = final.replace(_NO_TAG, b"zq%05dx%03d" % tag)
        return [Said(final, tag), Said(_results(1 - speaker, start, float(UTTERANCE), 0, True))]


def _turn(speaker: int, start: float) -> list[Said]:
    """The end of the other's utterance and the beginning of this one."""
    ended = {"type": "UtteranceEnd", "channel": [1 - speaker, 2], "last_word_end": round(start - 0.4, 2)}
    begun = {"type": "SpeechStarted", "channel": [speaker, 2], "timestamp": start + 0.2}
    return [Said(_message(each)) for each in ((ended, begun) if start else (begun,))]


@cache
def _results(channel: int, start: float, duration: float, words: int, final: bool) -> bytes:
    said = _said(start, duration, words, _NO_TAG.decode() if final else "hello")
    alternative = {"transcript": " ".join(word["punctuated_word"] for word in said)}
    return _message(
        {
            "type": "Results",
            "channel_index": [channel, 2],
            "duration": duration,
            "start": start,
            "is_final": final,
            "speech_final": final and bool(said),
            "channel": {"alternatives": [{**alternative, "confidence": 0.99121094 if said else 0.0, "words": said}]},
            "metadata": {"request_id": "r", "model_info": _MODEL, "model_uuid": "40bd3654-e622-47c4-a111-63a61b23bfe8"},
            "from_finalize": False,
        }
    )


def _said(start: float, duration: float, words: int, first: str) -> list[dict[str, Any]]:
    each = duration / (words or 1)
    return [
        {
            "word": word,
            "start": round(start + each * index, 2),
            "end": round(start + each * (index + 0.9), 2),
            "confidence": 0.98876953,
            "punctuated_word": word,
        }
        for index, word in enumerate([first, *_WORDS][:words])
    ]


def _message(message: dict[str, object]) -> bytes:
    return frame(TEXT, json.dumps(message, separators=(",", ":")).encode())
