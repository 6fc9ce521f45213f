"""Deepgram's side of a call: the audio path is opened, and what the session says goes to the record."""

from collections.abc import Callable

from bridge.call import describe
from bridge.call.audio_path import AudioPath, open_path
from bridge.call.control import Control
from bridge.call.keeping import Keeping
from bridge.call.record import Record
from bridge.call.services import Services
from bridge.deepgram.configuring import Configured
from bridge.deepgram.exchange import AudioLost, Finished, Interrupted, Resumed, SessionEvent
from bridge.deepgram.options import Options
from bridge.events import TRACKS
from bridge.recognition import Result
from bridge.store.kept import CallAudio


class Hearing:
    """Made by a call, for itself. Positions are samples since call time 0."""

    def __init__(
        self,
        call_id: str,
        services: Services,
        options: Options,
        audio: CallAudio | None,
        record: Record,
        keeping: Keeping,
        control: Control,
        lost_at: Callable[[], int | None],
        on_finished: Callable[[], None],
    ) -> None:
        """`lost_at`: where the audio of the lost streams ended; None while one is heard. `on_finished` is called when
        Deepgram has said its last."""
        self.path: AudioPath | None = None
        """Of a call that another process has begun only once its stream is here."""
        self._call_id = call_id
        self._services = services
        self._options = options
        self._audio = audio
        self._record = record
        self._keeping = keeping
        self._control = control
        self._lost_at = lost_at
        self._on_finished = on_finished

    def open(self, start: int, heard: int | None = None, covered: tuple[int, ...] = ()) -> AudioPath:
        """From `start` on; `heard`: where the audio of another process ended, `covered`: how far its finals cover each
        channel."""
        broke_off = {} if heard is None else dict.fromkeys(TRACKS, heard) | self._keeping.note.silent
        services, audio, pauses = self._services, self._audio, self._control.pauses
        path = open_path(
            self._call_id, services, self._options, audio, self._receive, start, broke_off, pauses, covered
        )
        self._control.connect(path.client)
        self.path = path
        return path

    def _receive(self, event: SessionEvent) -> None:
        match event:
            case Interrupted() | Resumed():
                self._record.tell(describe.session_news(event))
            case AudioLost(channel, span, why):
                lost = describe.stretches((channel, part) for part in self._control.pauses.outside(span))
                self._record.tell(*(describe.gap(stretch, why) for stretch in lost))
            case Configured():
                self._control.configured(event)
            case Finished():
                assert self.path
                self.path.finished = event
                self._record.requests, self._record.latency = self.path.requests, self.path.latency
                self._on_finished()
            case _:
                self._record.receive(event)
                if isinstance(event, Result) and event.is_final and self.path:
                    settled, holes = self.path.client.session.settled, self.path.holes
                    self._keeping.settle(settled, holes, self._lost_at())
