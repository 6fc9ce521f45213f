"""What comes in at each border, and what must hold whatever comes. A broken promise raises AssertionError.

A border is a function: it makes one input by chance, and tries it.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from itertools import count, pairwise
from random import Random
from typing import Any

from bridge.align import Aligner
from bridge.answer import AnswerReader
from bridge.audio import CHANNELS, mulaw_to_pcm, samples
from bridge.carriers.dialect import Dialect
from bridge.carriers.jambonz import JambonzDialect
from bridge.carriers.messages import Media, Started
from bridge.carriers.telnyx import TelnyxDialect
from bridge.carriers.twilio import TwilioDialect
from bridge.config import Settings, load
from bridge.deepgram import batch
from bridge.deepgram.exchange import Finished, SessionPolicy
from bridge.deepgram.messages import parse, parse_refusal
from bridge.deepgram.session import Session
from bridge.errors import ConfigError, RemoteProtocolError
from bridge.recognition import Result
from tests.fakes import frames, telnyx
from tests.fuzz.mutations import ODD, Mutation, field, mutate, octets

Border = Callable[[Random], None]

TRACKS = ("inbound", "outbound")
FRAMES = 12
LOST = ("late", "duplicate", "stray", "overflow", "empty", "unknown_track", "rival", "after_end")
"""What the aligner counts of frames that it does not use."""


# Carriers: JSON messages with audio in them, of which each frame sounds like no other.


@cache
def sound(track: str, number: int) -> bytes:
    """20 ms that are like no other."""
    return Random(f"{track} {number}").randbytes(160)


@cache
def twilio_conversation() -> tuple[str, ...]:
    sequence = count(2)
    media = [
        frames.media(track, 100 + 20 * number, next(sequence), sound(track, number))
        for number in range(FRAMES)
        for track in TRACKS
    ]
    return (frames.connected(), frames.start(parameters={"token": "t", "team": "blue"}), *media, frames.stop())


@cache
def telnyx_conversation() -> tuple[str, ...]:
    sequence = count(2)
    media = [
        telnyx.media(20 * number, next(sequence), sound(track, number), track)
        for number in range(FRAMES)
        for track in TRACKS
    ]
    return (telnyx.start(), *media, json.dumps({"event": "stop", "sequence_number": "99", "stop": {}}))


def _carrier(dialect: Dialect, conversation: tuple[str, ...], begins: int, random: Random) -> None:
    """`begins`: number of the first message with audio."""
    mutation = mutate(conversation, random)
    aligner = Aligner()
    source, _ = aligner.open_stream(0)
    unreadable = 0
    begun = False
    out = bytearray()
    for text in mutation.messages:
        try:
            messages = dialect.receive_text(text)
        except RemoteProtocolError:
            unreadable += 1
            continue
        for message in messages:
            begun = begun or isinstance(message, Started)
            if isinstance(message, Media):
                aligner.receive([message], source)
                out += aligner.data_to_send()
    for message in dialect.receive_close(1000):
        assert message is not None
    out += aligner.flush()
    if not begun:
        return  # the handler refuses such a stream, and says so
    heard = {track: bytes(out[channel::CHANNELS]) for channel, track in enumerate(TRACKS)}
    untouched = {
        (track, number)
        for number in range(FRAMES)
        for place, track in enumerate(TRACKS)
        if mutation.moved or begins + 2 * number + place != mutation.at
    }
    missing = [frame for frame in untouched if sound(*frame) not in heard[frame[0]]]
    counted = sum(aligner.counters[name] for name in LOST) + unreadable
    assert len(missing) <= counted + _cut(aligner), f"{missing} of {mutation.what}, counted {aligner.counters}"


def _cut(aligner: Aligner) -> int:
    """Frames that have lost their head or tail, or have got samples, by what is counted of it."""
    return (
        1 + (aligner.counters["trimmed"] + aligner.counters["padded"]) // 80
        if (aligner.counters["trimmed"] or aligner.counters["padded"])
        else 0
    )


def twilio_media(random: Random) -> None:
    """Twilio's socket."""
    _carrier(TwilioDialect(), twilio_conversation(), 2, random)


def telnyx_media(random: Random) -> None:
    """Telnyx's socket."""
    _carrier(TelnyxDialect(), telnyx_conversation(), 1, random)


def jambonz_media(random: Random) -> None:
    """jambonz's socket: one text, then octets cut anywhere."""
    dialect = JambonzDialect()
    said = json.dumps(
        {"callSid": "c1", "direction": "inbound", "from": "+1", "to": "+2", "sampleRate": 8000, "mixType": "mono"}
    )
    if random.random() < 0.7:
        said = field(said, random)[0] if random.random() < 0.8 else octets(said, random)
    try:
        (started,) = dialect.receive_text(said)
    except RemoteProtocolError:
        return
    mulaw = b"".join(sound("inbound", number) for number in range(FRAMES))
    pcm, at, heard = mulaw_to_pcm(mulaw), 0, b""
    while at < len(pcm):
        size = random.choice((1, 2, 3, 160, 320, 641))
        for message in dialect.receive_binary(pcm[at : at + size]):
            if message.track == "inbound":
                heard += message.payload
        at += size
    if len(started.tracks) == 1:
        assert len(mulaw) - len(heard) < 8, "audio is missing that came"


# Deepgram


SECONDS = 4
WORDS = ("one", "two", "three")


def results(channel: int, second: int, *, final: bool = True) -> str:
    """A second of a channel, with words that no other second has."""
    words = [
        {"word": f"{word}{channel}{second}", "start": second + 0.2 + 0.25 * place, "end": second + 0.4 + 0.25 * place}
        for place, word in enumerate(WORDS)
    ]
    words = [{**word, "confidence": 0.9, "punctuated_word": word["word"].title()} for word in words]
    alternative = {"transcript": " ".join(w["punctuated_word"] for w in words), "confidence": 0.9, "words": words}
    return json.dumps(
        {
            "type": "Results",
            "channel_index": [channel, 2],
            "start": float(second),
            "duration": 1.0,
            "is_final": final,
            "speech_final": second % 3 == 2,
            "from_finalize": False,
            "channel": {"alternatives": [alternative]},
            "metadata": {"request_id": "r", "model_uuid": "m"},
        }
    )


@cache
def live_conversation() -> tuple[str, ...]:
    said = [
        results(channel, second, final=final)
        for second in range(SECONDS)
        for channel in range(CHANNELS)
        for final in (False, True)
    ]
    end = {"type": "UtteranceEnd", "channel": [0, 2], "last_word_end": 3.9}
    metadata = {"type": "Metadata", "request_id": "r", "duration": 4.0, "channels": 2, "created": "2026-01-01"}
    return (*said, json.dumps(end), json.dumps(metadata))


def deepgram_live(random: Random) -> None:
    """The messages of a live socket, in a session."""
    conversation = live_conversation()
    mutation = mutate(conversation, random, range(len(conversation) - 1))
    session = Session(SessionPolicy(kept=True, speed=1000.0, burst=100.0), Random(1))
    session.start(0.0)
    session.connected("r", 0.0)
    for second in range(SECONDS):
        session.receive_audio(b"\x10" * 16_000, float(second))
    session.finish(float(SECONDS))
    for text in mutation.messages:
        session.receive_text(text, float(SECONDS))
    session.abort()
    events = session.events_received()
    (finished,) = [event for event in events if isinstance(event, Finished)]
    finals = [event for event in events if isinstance(event, Result) and event.is_final]
    heard = [word.word for final in finals for word in final.words]
    assert len(heard) == len(set(heard)) or "like another" in mutation.what, f"words came twice, {mutation.what}"
    touched = _span_of(mutation, conversation)
    for channel in range(CHANNELS):
        for second in range(SECONDS):
            _check_second(channel, second, heard, finished, session, mutation, touched)


def _span_of(mutation: Mutation, conversation: tuple[str, ...]) -> Any:
    """The channel and span that a changed message claims now, if it is a final."""
    for text in mutation.messages:
        if text in conversation:
            continue
        try:
            message = parse(text).message
        except RemoteProtocolError:
            return None
        return (message.channel, message.span) if isinstance(message, Result) and message.is_final else None
    return None


def _check_second(
    channel: int,
    second: int,
    heard: list[str],
    finished: Finished,
    session: Session,
    mutation: Mutation,
    touched: Any,
) -> None:
    """All words of a second are there, or its audio is told not to be covered, or an odd word is counted."""
    words = [f"{word}{channel}{second}" for word in WORDS]
    missing = [word for word in words if word not in heard]
    if not missing:
        return
    start, end = samples(second + 0.2), samples(second + 0.9)
    uncovered = any(at == channel and span.start < end and start < span.end for at, span in finished.uncovered)
    final = 4 * second + 2 * channel + 1
    if mutation.at == final and not mutation.moved:
        # Its own words: they cannot be read, or it claims to be of another time or channel.
        assert (
            uncovered or session.journal.bad_words or session.journal.bad_messages or touched or _said_less(mutation)
        ), mutation.what
        return
    claimed = touched and touched[0] == channel and touched[1].start < end and start < touched[1].end
    assert uncovered or claimed, f"{missing} are lost, {mutation.what}"


def _said_less(mutation: Mutation) -> bool:
    """A field that was not there, or empty, is no oddity: the message says less, and that is believed."""
    return "dropped" in mutation.what or "[]" in mutation.what or "''" in mutation.what or "{}" in mutation.what


@cache
def recording() -> str:
    utterances = [
        {
            "start": float(second),
            "end": second + 1.0,
            "channel": channel,
            "confidence": 0.9,
            "transcript": " ".join(f"{word}{channel}{second}" for word in WORDS),
            "words": [
                {"word": f"{word}{channel}{second}", "start": second + 0.2, "end": second + 0.4, "confidence": 0.9}
                for word in WORDS
            ],
        }
        for second in range(SECONDS)
        for channel in range(CHANNELS)
    ]
    return json.dumps({"metadata": {"request_id": "r", "channels": 2}, "results": {"utterances": utterances}})


def deepgram_recording(random: Random) -> None:
    """The answer of the pre-recorded API."""
    text, what = field(recording(), random) if random.random() < 0.9 else (octets(recording(), random), "broken")
    body = text.encode("utf-8", "surrogatepass")
    try:
        transcribed = batch.parse(body, float(SECONDS))
    except RemoteProtocolError:
        return
    heard = {word.word for final in transcribed.results for word in final.words}
    lost = sum(
        any(f"{word}{channel}{second}" not in heard for word in WORDS)
        for channel in range(CHANNELS)
        for second in range(SECONDS)
    )
    assert lost <= 1 or "results" in what, f"{lost} utterances are not whole, {what}"


def deepgram_refusal(random: Random) -> None:
    """What Deepgram, or a proxy before it, answers to a handshake."""
    body = json.dumps({"err_code": "INVALID_AUTH", "err_msg": "Invalid credentials.", "request_id": "r"})
    text = field(body, random)[0] if random.random() < 0.7 else octets(body, random)
    refusal = parse_refusal(random.choice((302, 400, 401, 429, 500, 503)), {}, text.encode("utf-8", "surrogatepass"))
    assert refusal.reason and len(refusal.reason) <= 300


# The webhook's receiver

ANSWERS = (
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok",
    "HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
    "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\nConnection: close\r\n\r\nfine",
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n",
)


def receiver_answers(random: Random) -> None:
    """What a webhook's receiver answers, cut anywhere."""
    usual = random.choice(ANSWERS)
    answer = octets(usual, random).encode("latin-1", "replace")
    whole = _read_answer([answer])
    cuts = sorted(random.randrange(len(answer) + 1) for _ in range(random.randrange(6)))
    pieces = [answer[begin:end] for begin, end in pairwise([0, *cuts, len(answer)])]
    assert _read_answer(pieces) == whole, "it depends on how it was cut"
    line, _, _ = usual.partition("\r\n")
    if answer.startswith(f"{line}\r\n".encode()) and " 100 " not in line:
        assert whole == int(line.split()[1]), "the status line is whole, and does not count"


def _read_answer(pieces: list[bytes]) -> int | None:
    """The status, as far as it can be told."""
    reader = AnswerReader()
    try:
        for piece in pieces:
            reader.receive(piece)
    except RemoteProtocolError:
        return reader.status
    reader.receive_eof()
    return reader.status


# Settings

SECRET = "canary-5a1f"
SECRETIVE = ("KEY", "TOKEN", "SECRET", "AUTH")
"""In names of settings that hold secrets."""


@cache
def names() -> tuple[str, ...]:
    return tuple(name.upper() for name in Settings.model_fields)


def settings(random: Random) -> None:
    """The environment."""
    environment: Mapping[str, str] = {
        "DEEPGRAM_API_KEY": SECRET,
        "TWILIO_AUTH_TOKEN": SECRET,
        "WEBHOOK_URL": "https://example.com/hook",
        "PUBLIC_URL": "https://bridge.example",
    }
    changed = dict(environment)
    for _ in range(random.choice((1, 1, 2, 4))):
        value = random.choice(ODD)
        text = value if isinstance(value, str) else json.dumps(value)
        text = text.encode("utf-8", "replace").decode().replace("\x00", "")
        name = random.choice(names())
        usual = SECRET if any(part in name for part in SECRETIVE) else ""
        changed[name] = random.choice((text, f" {text}\n", changed.get(name, "") + text, f"{usual}\u00a0{text}"))
    try:
        load(changed)
    except ConfigError as error:
        assert SECRET not in str(error), str(error)
        assert str(error)


BORDERS: dict[str, Border] = {
    border.__name__: border
    for border in (
        twilio_media,
        telnyx_media,
        jambonz_media,
        deepgram_live,
        deepgram_recording,
        deepgram_refusal,
        receiver_answers,
        settings,
    )
}
