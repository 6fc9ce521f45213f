"""What Twilio says on the socket of a media stream, and when: a recording in, timed messages out, faults on request.

Pure: the same recording, options and faults give the same messages. Nothing here waits or sends; `caller` does, and
tests of other rooms take the messages without a socket. The shapes are those of captured calls: every counter is a
JSON string, only `sampleRate` and `channels` are numbers; the numbers count all messages, `chunk` those of a track.
Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

import json
import random
import secrets
from base64 import b64encode
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import cycle
from typing import Any, NamedTuple

from bridge.audio import SAMPLE_RATE, SAMPLES_PER_MS
from bridge.errors import ConfigError
from bridge.events import TRACKS
from bridge.local.wav import Recording

Timed = tuple[float, str]
"""Seconds since the stream began, and the message that is due then."""

Chance = float | Collection[int]
"""Which media messages a fault hits: a rate from 0 to 1, or their numbers, counted from 0 over both tracks."""

GARBAGE = (
    '{"event":"media"',
    "not JSON at all",
    "[]",
    "null",
    "{}",
    '{"event":"media","sequenceNumber":"x","media":{"track":"inbound","timestamp":"soon","payload":"AAAA"}}',
    '{"event":"media","media":null}',
    '{"event":"surprise","surprise":{"size":3}}',
)


@dataclass(frozen=True, slots=True)
class CallerOptions:
    """Who calls. The ids are new ones by default."""

    call_id: str = field(default_factory=lambda: f"CA{secrets.token_hex(16)}")
    stream_id: str = field(default_factory=lambda: f"MZ{secrets.token_hex(16)}")
    account_id: str = "AC00000000000000000000000000000000"
    parameters: Mapping[str, str] = field(default_factory=dict)
    """The `<Parameter>`s of the TwiML."""
    tracks: tuple[str, ...] = TRACKS
    first_ms: int = 100
    """The first timestamp: Twilio's clock starts before the audio."""
    seed: int = 0
    """Of the faults that come at a rate."""

    def __post_init__(self) -> None:
        if not self.tracks or not set(self.tracks) <= set(TRACKS):
            raise ConfigError(f"The tracks of a stream are {' and '.join(TRACKS)}, not {', '.join(self.tracks)}.")


@dataclass(frozen=True, slots=True)
class CallerFaults:
    """What goes wrong; nothing by default. What has a rate goes wrong at the same places for the same seed."""

    lost: Chance = 0.0
    """Never sent, but counted: the numbers show it."""
    repeated: Chance = 0.0
    """Sent twice."""
    reordered: Chance = 0.0
    """Sent late."""
    reordered_by: int = 2
    """So many frames of its own track overtake it."""
    late: float = 0.0
    """Seconds before outbound begins."""
    wobble_ms: int = 0
    """Timestamps are off by up to this, either way."""
    frame_sizes: tuple[int, ...] = (20 * SAMPLES_PER_MS,)
    """Octets of the frames, one after the other, over and over."""
    jump_at: float | None = None
    """Seconds of audio after which the carrier's clock is set again..."""
    jump_ms: int = 0
    """...by this."""
    garbage_every: int = 0
    """After so many media messages comes one that makes no sense; 0: never."""
    bad_base64_every: int = 0
    """Every so-many-eth media message has a payload that is no base64; 0: none."""
    media_before_start: int = 0
    """So many media messages come before `start`."""
    two_starts: bool = False
    drop_after: float | None = None
    """Seconds after which the socket breaks, without a `stop`."""

    def __post_init__(self) -> None:
        for name in ("lost", "repeated", "reordered"):
            chance = getattr(self, name)
            if isinstance(chance, int | float) and not 0 <= chance <= 1:
                raise ConfigError(f"The rate of {name} frames is 0 to 1, not {chance}.")
        if not self.frame_sizes or min(self.frame_sizes) < 1:
            raise ConfigError("A frame has at least one octet.")


NO_FAULTS = CallerFaults()


def messages(
    recording: Recording, options: CallerOptions | None = None, faults: CallerFaults = NO_FAULTS
) -> Iterator[Timed]:
    """The messages of a call, in the order they are sent in, each with the moment it is due.

    A frame is due when its last sample has been spoken. The last message is `stop`, unless the socket breaks before.
    """
    script = _Script(recording, options or CallerOptions(), faults)
    due = 0.0
    for due, message in _in_order(script.play()):
        yield due, message
    if not script.breaks_before(script.length):
        yield max(due, script.length / SAMPLE_RATE), script.stop()


class _Spoken(NamedTuple):
    """A message and when it is due, in samples."""

    moment: int
    delay: int
    text: str


class _Script:
    """One call: what has been said and counted so far."""

    def __init__(self, recording: Recording, options: CallerOptions, faults: CallerFaults) -> None:
        self._options = options
        self._faults = faults
        self._tracks = [(track, recording[TRACKS.index(track)]) for track in options.tracks]
        self.length = max(len(audio) for _, audio in self._tracks)
        self._sequence = 0
        self._chunks: dict[str, int] = dict.fromkeys(TRACKS, 0)
        self._media = 0
        self._wobble = random.Random(f"{options.seed} wobble")
        self._lost, self._repeated, self._reordered = (
            _hits(chance, random.Random(f"{options.seed} {name}"))
            for name, chance in (
                ("lost", faults.lost),
                ("repeated", faults.repeated),
                ("reordered", faults.reordered),
            )
        )

    def breaks_before(self, moment: int) -> bool:
        return self._faults.drop_after is not None and moment > self._faults.drop_after * SAMPLE_RATE

    def play(self) -> Iterator[_Spoken]:
        """All but the `stop`."""
        yield _Spoken(0, 0, '{"event":"connected","protocol":"Call","version":"1.0.0"}')
        for _ in range(self._faults.media_before_start):
            yield _Spoken(0, 0, self._media_message("inbound", 0, bytes(self._faults.frame_sizes[0])))
        for _ in range(1 + self._faults.two_starts):
            yield _Spoken(0, 0, self._start())
        offset = 0
        sizes = cycle(self._faults.frame_sizes)
        while offset < self.length:
            size = next(sizes)
            moment = min(offset + size, self.length)
            if self.breaks_before(moment):
                return
            for track, audio in self._tracks:
                late = track == "outbound" and offset < self._faults.late * SAMPLE_RATE
                if not late and offset < len(audio):
                    yield from self._frame(moment, track, offset, audio[offset : offset + size])
            offset += size

    def _frame(self, moment: int, track: str, offset: int, payload: bytes) -> Iterator[_Spoken]:
        faults, number = self._faults, self._media
        at = self._options.first_ms + offset // SAMPLES_PER_MS
        if faults.wobble_ms:
            at += self._wobble.randint(-faults.wobble_ms, faults.wobble_ms)
        if faults.jump_at is not None and offset >= faults.jump_at * SAMPLE_RATE:
            at += faults.jump_ms
        message = self._media_message(track, at, payload)
        # Every fault is asked every time, so that one of them does not move the others.
        lost, repeated, reordered = (hits(number) for hits in (self._lost, self._repeated, self._reordered))
        delay = faults.reordered_by * len(payload) if reordered else 0
        if not lost:
            yield from [_Spoken(moment, delay, message)] * (1 + repeated)
        if faults.garbage_every and self._media % faults.garbage_every == 0:
            yield _Spoken(moment, 0, GARBAGE[self._media // faults.garbage_every % len(GARBAGE)])

    def _number(self) -> str:
        self._sequence += 1
        return str(self._sequence)

    def _media_message(self, track: str, at: int, payload: bytes) -> str:
        self._media += 1
        self._chunks[track] += 1
        text = b64encode(payload).decode()
        if self._faults.bad_base64_every and self._media % self._faults.bad_base64_every == 0:
            text = f"%{text[1:]}"
        return (
            f'{{"event":"media","sequenceNumber":"{self._number()}","media":{{"track":"{track}",'
            f'"chunk":"{self._chunks[track]}","timestamp":"{at}","payload":"{text}"}},'
            f'"streamSid":"{self._options.stream_id}"}}'
        )

    def _start(self) -> str:
        options = self._options
        body = {
            "accountSid": options.account_id,
            "streamSid": options.stream_id,
            "callSid": options.call_id,
            "tracks": list(options.tracks),
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": SAMPLE_RATE, "channels": 1},
            "customParameters": dict(options.parameters),
        }
        return self._message("start", body)

    def stop(self) -> str:
        return self._message("stop", {"accountSid": self._options.account_id, "callSid": self._options.call_id})

    def _message(self, event: str, body: dict[str, Any]) -> str:
        message = {
            "event": event,
            "sequenceNumber": self._number(),
            event: body,
            "streamSid": self._options.stream_id,
        }
        return json.dumps(message, separators=(",", ":"))


def _hits(chance: Chance, rng: random.Random) -> Callable[[int], bool]:
    if isinstance(chance, int | float):
        return lambda _: rng.random() < chance
    return lambda number: number in chance


def _in_order(script: Iterator[_Spoken]) -> Iterator[Timed]:
    """By the moment they are due; one that is delayed comes after all that are due by then."""
    waiting: list[tuple[int, bool, int, str]] = []
    for number, (moment, delay, text) in enumerate(script):
        while waiting and waiting[0][0] < moment:
            yield _timed(heappop(waiting))
        heappush(waiting, (moment + delay, delay > 0, number, text))
    while waiting:
        yield _timed(heappop(waiting))


def _timed(waiting: tuple[int, bool, int, str]) -> Timed:
    return waiting[0] / SAMPLE_RATE, waiting[3]
