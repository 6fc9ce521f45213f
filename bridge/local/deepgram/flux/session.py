"""One connection to `/v2/listen` as a machine: octets, texts and time in, messages and a close out.

It is a session like that of `/v1/listen`, with the same states, order and faults, and other words: `Connected` first,
`TurnInfo` for everything that is heard, no `Metadata` at the end, and a close without a code. A client that is silent
for a minute is closed, but pings count as life, which they do not on `/v1/listen`; how Flux words that close is not
known. Faults that befall finals befall nothing here.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import ClassVar

from bridge.local.deepgram import asking
from bridge.local.deepgram.ears import Ears
from bridge.local.deepgram.faults import NO_FAULTS, Faults
from bridge.local.deepgram.flux import messages
from bridge.local.deepgram.flux.request import FluxRequest
from bridge.local.deepgram.flux.turns import INTERIM_EVERY, SETTLES, TurnInfo, Turns
from bridge.local.deepgram.request import ListenRequest
from bridge.local.deepgram.session import LIMITS, Limits, Session, State
from bridge.local.deepgram.transcription import Message, Transcriber
from bridge.local.features import Features, Rendering
from bridge.local.recognition import Heard, Listening, Recognizer, RecognizerFactory
from bridge.recognition import Result


class TurnTranscription:
    """Turns the audio into `TurnInfo`s: its recognizer, and what its results become on the wire."""

    def __init__(self, request: FluxRequest, recognizer: Recognizer, writer: messages.Writer) -> None:
        self.request = request
        self._recognizer = recognizer
        self._writer = writer
        self._rendering = Rendering(asking.features(request.listen))
        self._turns = Turns(request.thresholds)
        self._position = 0  # samples

    @property
    def features(self) -> Features:
        """What is wanted of the words."""
        return self._rendering.features

    @features.setter
    def features(self, features: Features) -> None:
        self._rendering.features = features

    def configure(self, request: FluxRequest) -> None:
        """Go on with other settings."""
        self.request = request
        self._turns.thresholds = request.thresholds
        self.features = replace(self.features, keyterms=request.keyterms, numerals=request.numerals)

    def feed(self, mulaw: bytes) -> list[Message]:
        """The next audio, and what there is to say about it."""
        self._position += len(mulaw)
        told = self._hear(self._recognizer.receive_audio(mulaw))
        return self._write(told + self._turns.pass_time(self._position))

    def end_turn(self) -> list[Message]:
        """Settle all audio fed so far and end the turn, if there is one."""
        return self._write(self._hear(self._recognizer.flush()) + self._turns.end())

    def flush(self, *, from_finalize: bool) -> list[Message]:
        """Say what was heard of all audio fed so far; it ends no turn."""
        return self._write(self._hear(self._recognizer.flush()) + self._turns.close())

    def _hear(self, heard: Sequence[Heard]) -> list[TurnInfo]:
        rendered = (self._rendering.render(item) if isinstance(item, Result) else item for item in heard)
        return [told for item in rendered for told in self._turns.hear(item)]

    def _write(self, told: Sequence[TurnInfo]) -> list[Message]:
        return [Message(self._writer.turn_info(info, self.request)) for info in told]


class FluxEars(Ears):
    """Hears one channel, the first of several."""

    def __init__(
        self, request: ListenRequest, turns: TurnTranscription, recognizers: RecognizerFactory, request_id: str
    ) -> None:
        self._turns = turns
        super().__init__(request, recognizers, request_id)

    def warning(self) -> str | None:
        return None

    def _transcribers(self, request: ListenRequest) -> Sequence[Transcriber]:
        return [self._turns]


class FluxSession(Session):
    """The server's side of one connection."""

    done_code: ClassVar[int | None] = None

    def __init__(
        self,
        request: FluxRequest,
        recognizers: RecognizerFactory,
        *,
        request_id: str,
        created: str,
        now: float,
        faults: Faults = NO_FAULTS,
        limits: Limits = LIMITS,
    ) -> None:
        self._flux = messages.Writer(request_id)
        recognizer = recognizers(0, Listening(SETTLES, interim_every=INTERIM_EVERY))
        self._turns = TurnTranscription(request, recognizer, self._flux)
        super().__init__(
            request.listen,
            recognizers,
            request_id=request_id,
            created=created,
            now=now,
            faults=faults,
            limits=replace(limits, no_input=limits.flux_silence, no_answer=inf),
        )
        self._say([Message(self._flux.connected())], now)

    def _open_ears(self, recognizers: RecognizerFactory, request_id: str) -> Ears:
        return FluxEars(self.request, self._turns, recognizers, request_id)

    def _summary(self) -> list[Message]:
        return []

    def receive_ping(self, now: float) -> None:
        self._active_at = now

    def handle_timer(self, now: float) -> None:
        if self.state is State.OPEN and self.reads and now >= self._active_at + self._limits.no_input:
            self._close("", now, code=None)

    def receive_text(self, text: str, now: float) -> None:
        """A text message."""
        if self.state is not State.OPEN:
            self.ignored += 1
            return
        self._active_at = now
        match messages.read_text(text):
            case messages.CloseStream():
                self._drain(now)
            case messages.ForceEndTurn():
                self._say(self._turns.end_turn(), now)
            case messages.Configure() as change:
                outcome = messages.configured(self._turns.request, change)
                if not isinstance(outcome, messages.Failure):
                    self._turns.configure(outcome)
                self._say([Message(self._flux.configure_answer(outcome))], now)
            case messages.Unparsable():
                self._say([Message(self._flux.unparsable())], now)
                self._close("", now, code=None)
