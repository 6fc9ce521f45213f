"""Our session and the local Deepgram's, machine to machine, with the test's clock: hours pass in moments."""

import json
from functools import cache
from heapq import heappop, heappush
from itertools import count
from random import Random
from urllib.parse import parse_qsl

from bridge.audio import CHANNELS, SAMPLE_RATE, interleave, seconds
from bridge.deepgram import options
from bridge.deepgram.exchange import AudioLost, Close, Connect, Fetch, Finished, Interrupted, Resumed, Send
from bridge.deepgram.messages import Refusal
from bridge.deepgram.session import Session
from bridge.deepgram.states import State
from bridge.local.deepgram import outputs
from bridge.local.deepgram import session as theirs
from bridge.local.deepgram.faults import NO_FAULTS
from bridge.local.deepgram.request import ListenRequest, parse_request
from bridge.local.script import CodedRecognizers, encode
from bridge.recognition import Result

CHUNK = 0.06
LATENCY = 0.05
spoken = cache(encode)
PARSED = parse_request(parse_qsl(options.parse("").query()))
assert isinstance(PARSED, ListenRequest)
REQUEST: ListenRequest = PARSED


class Line:
    """A call in which a script is spoken. Positions are samples, times seconds of the call."""

    def __init__(self, script, seconds, policy, *, refuse=lambda now: None, faults=lambda index: NO_FAULTS, cut=()):
        """`refuse(now)`: the status with which handshakes are refused then. `faults(index)`: of a socket.
        `cut`: moments from which on nothing passes on the socket that is open then, and nobody is told."""
        self.script, self.seconds = script, seconds
        self.audio = interleave(*spoken(script, seconds))
        self.ours = Session(policy, Random(1))
        self.sockets = []
        self.told = []
        self._refuse, self._faults, self._cuts = refuse, faults, sorted(cut)
        self._socket, self._dead = None, False
        self._due = []  # (when, order, what)
        self._order = count()
        self.now = 0.0

    def run(self):
        """The whole call, to the end of the session."""
        self.ours.start(0.0)
        for index in range(round(self.seconds / CHUNK)):
            self._at((index + 1) * CHUNK, self._speak, index)
        self._at(self.seconds + CHUNK, self.ours.finish)
        self._pump()
        while self.ours.state is not State.ENDED:
            self._step()
        return self

    @property
    def words(self):
        """What finals said, by channel: (word, start, end)."""
        heard: list[list[tuple[object, ...]]] = [[], []]
        for event in self.told:
            if isinstance(event, Result) and event.is_final:
                heard[event.channel] += [(word.word, *map(seconds, word.span)) for word in event.words]
        return heard

    @property
    def spoken(self):
        """What ought to be heard."""
        return [[(word.word, word.start, word.end) for word in words] for words in self.script.channels]

    @property
    def lost(self):
        return [event for event in self.told if isinstance(event, AudioLost)]

    @property
    def uncovered(self):
        """As (channel, from, to)."""
        finished = self.told[-1]
        if not isinstance(finished, Finished):
            return None
        return tuple((channel, *map(seconds, span)) for channel, span in finished.uncovered)

    @property
    def waited(self):
        """Seconds of audio that waited at each reconnection."""
        return [event.waiting for event in self.told if isinstance(event, Resumed)]

    @property
    def interruptions(self):
        return [event for event in self.told if isinstance(event, Interrupted)]

    def _at(self, when, what, *arguments):
        heappush(self._due, (when, next(self._order), what, arguments))

    def _step(self):
        machines = [machine for machine in (self.ours, self._socket) if machine]
        timers = [timer for machine in machines if (timer := machine.get_timer()) is not None]
        self.now = max(self.now, min(timers + [due[0] for due in self._due[:1]]))
        if self._cuts and self.now >= self._cuts[0]:
            self._cuts.pop(0)
            self._dead = self._socket is not None
        while self._due and self._due[0][0] <= self.now:
            _, _, what, arguments = heappop(self._due)
            what(*arguments, self.now)
            self._pump()
        timer = self.ours.get_timer()
        if timer is not None and timer <= self.now:
            self.ours.handle_timer(self.now)
        if self._socket:
            self._socket.handle_timer(self.now)
        self._pump()

    def _speak(self, index, now):
        size = round(CHUNK * SAMPLE_RATE) * CHANNELS
        self.ours.receive_audio(self.audio[index * size : (index + 1) * size], now)

    def _pump(self):
        while True:
            commands = self.ours.data_to_send()
            for command in commands:
                self._obey(command)
            said = self._socket.data_to_send(self.now) if self._socket else []
            for output in said:
                self._hear(output)
            self.told += self.ours.events_received()
            if not commands and not said:
                return

    def _obey(self, command):
        match command:
            case Connect():
                self._at(self.now + LATENCY, self._connect)
            case Fetch(start, samples):
                held = min(len(self.audio), round(self.now / CHUNK) * round(CHUNK * SAMPLE_RATE) * CHANNELS)
                self.ours.receive_fetched(
                    start, start, self.audio[start * CHANNELS : min(held, (start + samples) * CHANNELS)], self.now
                )
            case Close():
                self._socket, self._dead = None, False
            case Send(data) if self._socket and not self._dead:
                if isinstance(data, bytes):
                    self._socket.receive_binary(data, self.now)
                else:
                    self._socket.receive_text(data, self.now)

    def _connect(self, now):
        if status := self._refuse(now):
            self.ours.refused(Refusal(status, f"status {status}", "r"), now)
            return
        self._socket = theirs.Session(
            REQUEST,
            CodedRecognizers(self.script),
            request_id=f"r{len(self.sockets)}",
            created="2026-01-01T00:00:00.000Z",
            now=now,
            faults=self._faults(len(self.sockets)),
        )
        self._dead = False
        self.sockets.append(self._socket)
        self.ours.connected(f"r{len(self.sockets)}", now)

    def _hear(self, output):
        if self._dead:
            return
        match output:
            case outputs.Close(code, reason):
                self._socket = None
                self.ours.closed(code, reason, self.now)
            case outputs.Abort():
                self._socket = None
                self.ours.closed(None, "", self.now)
            case text:
                assert json.loads(text)
                self.ours.receive_text(text, self.now)
