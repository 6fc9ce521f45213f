"""What one connection's audio goes through: decoded, heard channel by channel, rendered and written.

Audio that says itself what it is, is heard from where its header has been read.
"""

from collections.abc import Sequence
from dataclasses import replace

from bridge.local.deepgram import asking, messages
from bridge.local.deepgram.containers import decoder
from bridge.local.deepgram.decoder import Undecodable
from bridge.local.deepgram.messages import Configure, Writer
from bridge.local.deepgram.request import ListenRequest
from bridge.local.deepgram.transcription import Message, Transcriber, Transcription
from bridge.local.recognition import RecognizerFactory, abilities


class Ears:
    """Audio in, messages out; no time and no socket."""

    def __init__(self, request: ListenRequest, recognizers: RecognizerFactory, request_id: str) -> None:
        self.writer = Writer(request, request_id)
        """As much as is known of the audio so far."""
        self._request, self._recognizers, self._request_id = request, recognizers, request_id
        self._decoder = decoder(request)
        self._transcriptions: Sequence[Transcriber] = ()
        self._features = asking.features(request)
        if request.is_pcm:
            self._open(request)

    @property
    def channels(self) -> int:
        """Those that are heard; 0 where that is not known yet, or nothing is."""
        return len(self._transcriptions)

    @property
    def received(self) -> float:
        """Seconds of audio that came."""
        return self._decoder.duration

    @property
    def duration(self) -> float:
        """Seconds of audio that was heard."""
        return self._decoder.duration if self._transcriptions else 0.0

    @property
    def broken(self) -> int:
        """Packets of audio that could not be decoded."""
        return self._decoder.broken

    def warning(self) -> str | None:
        """What of the request is only pretended, as a message; None: nothing is."""
        found = asking.pretences(self._request, abilities(self._recognizers))
        return messages.pretended(self._request_id, found) if found else None

    def feed(self, data: bytes) -> list[Message]:
        """The next octets, and what there is to say about them. Raises Undecodable."""
        return self._hear(self._decoder.feed(data))

    def finalize(self, channel: int | None) -> list[Message] | None:
        """Settle one channel, or all; None: there is no such channel."""
        chosen = self._transcriptions
        if channel is not None:
            chosen = self._transcriptions[channel : channel + 1]
            if not chosen:
                return None
        return [message for transcription in chosen for message in transcription.flush(from_finalize=True)]

    def end(self) -> list[Message]:
        """No more will come: what is left to say; nothing of what could not be decoded."""
        try:
            said = self._hear(self._decoder.end())
        except Undecodable:
            said = []
        for transcription in self._transcriptions:
            said += transcription.flush(from_finalize=False)
        return said

    def configure(self, configure: Configure) -> str:
        """Change the features on the way, and the answer to that."""
        if messages.is_configurable(self._request, configure):
            if configure.keyterms is not None:
                self._features = replace(self._features, keyterms=configure.keyterms)
            if configure.numerals is not None:
                self._features = replace(self._features, numerals=configure.numerals)
            for transcription in self._transcriptions:
                transcription.features = self._features
        return messages.configure_answer(self._request, self._request_id, configure)

    def close(self) -> None:
        """Nothing is heard any more; may be called twice."""
        self._decoder.close()

    def _hear(self, pieces: list[bytes]) -> list[Message]:
        if pieces and not self._transcriptions and not self._request.is_pcm:
            self._open(replace(self._request, channels=self._decoder.channels))
        return [
            message
            for transcription, mulaw in zip(self._transcriptions, pieces, strict=False)
            for message in transcription.feed(mulaw)
        ]

    def _open(self, request: ListenRequest) -> None:
        """Begin to hear every channel."""
        self.writer = Writer(request, self._request_id)
        self._transcriptions = self._transcribers(request)
        for transcription in self._transcriptions:
            transcription.features = self._features

    def _transcribers(self, request: ListenRequest) -> Sequence[Transcriber]:
        """What hears the channels."""
        return [
            Transcription(channel, request, self._recognizers(channel, request.listening), self.writer)
            for channel in range(request.heard_channels)
        ]
