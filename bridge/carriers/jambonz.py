"""jambonz `listen`: one text frame that says whose call it is, then binary frames of 16-bit PCM, little-endian.

The binary frames carry no times: the clock of the stream is the count of its samples. The socket's close is the end.
Source: https://docs.jambonz.org/verbs/verbs/listen
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bridge.audio import SAMPLE_RATE, SAMPLES_PER_MS, pcm_to_mulaw, split_channels
from bridge.carriers import parameters
from bridge.carriers.dialect import Carrier, Proof
from bridge.carriers.fields import rate as sampling_rate
from bridge.carriers.identifiers import safe_identifier
from bridge.carriers.messages import Digit, Ignored, Media, Message, Started, Stopped, UnsupportedMedia
from bridge.errors import RemoteProtocolError
from bridge.events import TRACKS, Track

_CHANNELS: Mapping[str, int] = {"mono": 1, "stereo": 2}
"""By `mixType`: the leg that listens, or that leg and the other one, interleaved."""

_SAMPLE = 2  # octets

_THEIRS = frozenset(
    ("accountSid", "applicationSid", "applicationName", "callSid", "callId", "callStatus", "callTerminationBy")
    + ("callerId", "callerName", "direction", "duration", "from", "fsPublicIp", "fsSipAddress", "localSipAddress")
    + ("mixType", "originatingSipIp", "originatingSipTrunkName", "parentCallSid", "publicIp", "sampleRate")
    + ("serviceUrl", "sip", "sipReason", "sipStatus", "to", "traceId", "trace_id", "apiBaseUrl", "sbcCallid")
)
"""What jambonz says of a call; all else in the first frame is the developer's `metadata`."""


class JambonzDialect:
    """Reads one socket. It remembers how many channels there are and how many samples have come."""

    def __init__(self) -> None:
        self._channels: int | None = None  # until the first text frame
        self._samples = 0
        self._rest = b""
        """The beginning of a millisecond whose end is still to come."""

    def receive_text(self, text: bytes) -> Sequence[Message]:
        """The first is the call's; later ones are keys, or say nothing to us. Raises RemoteProtocolError."""
        try:
            said = json.loads(text)
            if self._channels is None:
                return (self._started(said),)
            # Only with `passDtmf`.
            return (Digit("inbound", str(said["dtmf"])) if said.get("event") == "dtmf" else Ignored(),)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise RemoteProtocolError(f"not a jambonz message: {type(error).__name__}") from None

    def receive_media(self, texts: Sequence[bytes]) -> list[Media]:
        """None: audio comes in binary frames."""
        return []

    def receive_binary(self, data: bytes) -> Sequence[Message]:
        """Some audio of every channel. Raises RemoteProtocolError for audio before the first text frame."""
        channels = self._channels
        if channels is None:
            raise RemoteProtocolError("audio of a call that is not known yet")
        pcm = self._rest + data if self._rest else data
        block = SAMPLES_PER_MS * channels * _SAMPLE
        whole = len(pcm) - len(pcm) % block
        pcm, self._rest = pcm[:whole], pcm[whole:]
        if not pcm:
            return ()
        at = self._samples // SAMPLES_PER_MS
        self._samples += whole // (channels * _SAMPLE)
        parts = split_channels(pcm) if channels == len(TRACKS) else (pcm,)
        return [Media(track, at, None, pcm_to_mulaw(part)) for track, part in zip(TRACKS, parts, strict=False)]

    def receive_close(self, code: int | None) -> Sequence[Message]:
        """A close in order ends the stream; where the socket broke there is no code, and the stream is lost."""
        return (Stopped(),) if code is not None else ()

    def data_to_send(self) -> Sequence[str | bytes]:
        """Nothing: a close from our side would end the verb."""
        return ()

    def _started(self, said: dict[str, Any]) -> Started:
        rate, mix = sampling_rate(said.get("sampleRate"), SAMPLE_RATE), str(said.get("mixType") or "mono")
        if rate != SAMPLE_RATE:
            raise UnsupportedMedia(f"L16 at {rate} Hz: set sampleRate of listen to 8000")
        if mix not in _CHANNELS:
            raise UnsupportedMedia(f"mixType {mix[:20]}: set mixType of listen to stereo, or to mono for one speaker")
        call_id = safe_identifier(said["callSid"])
        metadata = {name: _text(value) for name, value in said.items() if name not in _THEIRS}
        sides = {parameters.OURS + name: str(said[name]) for name in ("from", "to", "direction") if said.get(name)}
        self._channels = _CHANNELS[mix]
        tracks: tuple[Track, ...] = TRACKS[: self._channels]
        return Started(
            call_id=call_id,
            stream_id=call_id,  # it names none
            tracks=tracks,
            encoding="audio/x-l16",
            sample_rate=rate,
            carrier=JAMBONZ.name,
            **parameters.read({**metadata, **sides}),
        )


JAMBONZ = Carrier("jambonz", JambonzDialect, Proof.BASIC, echoes_subprotocol=True)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
