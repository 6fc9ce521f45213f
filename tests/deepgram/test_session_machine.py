"""Whatever happens in whatever order, finals that are lost or late included: each moment of each channel is heard once,
waiting, or declared lost.

The test plays Deepgram and the shell. The call is cut into cells of a tenth of a second, and in each cell each channel
says one word, which names the cell: so the test sees which audio was sent where on a socket, and whether what the
session makes of a socket's times is the cell the word came from.
"""

import json
from collections import Counter
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.deepgram.configuring import Configuration
from bridge.deepgram.exchange import AudioLost, Close, Connect, Fetch, Finished, Send, SessionPolicy
from bridge.deepgram.messages import CLOSE_STREAM, Refusal
from bridge.deepgram.session import Session
from bridge.deepgram.states import State
from bridge.recognition import Result

CELL = 800  # samples
TENTH = CELL / 8000
NOISE = Random(1).randbytes(2 * CELL * 4000)  # every stretch of it is unlike every other


class World(RuleBasedStateMachine):
    """One call."""

    @initialize(
        kept=st.booleans(),
        window=st.sampled_from([0.5, 2.0, 60.0]),
        held=st.sampled_from([0.0, 0.5, 4.0]),
        start=st.sampled_from([0, 50]),
    )
    def begin(self, kept, window, held, start):
        patience = {"speed": 1000.0, "burst": 1e6, "catch_up": 0.0005, "deaf": 1e9}
        policy = SessionPolicy(kept=kept, window=window, held=held, **patience)
        self.prepare(Session(policy, Random(1), start * CELL), start)

    def prepare(self, session, start):
        self.session = session
        self.start = self.cells = start  # cells before `start` are another process's
        self.now = 0.0
        self.gone = set()  # cells that are not on the disk any more
        self.heard, self.lost = Counter(), Counter()
        self.finished = None
        self.connecting, self.fetching, self.closing = False, None, False
        self.forget_socket()
        self.session.start(self.now)
        self.obey()

    def forget_socket(self):
        self.sent = bytearray()
        self.marks = [0, 0]  # cells of the socket that finals have covered
        self.last = None
        self.late = []

    # What the session asks for.

    def obey(self):
        for command in self.session.data_to_send():
            match command:
                case Connect():
                    self.connecting = True
                case Send(data) if isinstance(data, bytes):
                    self.sent += data
                case Send(data):
                    self.closing = self.closing or data == CLOSE_STREAM
                case Fetch():
                    self.fetching = command
                case Close():
                    self.closing = False
        for event in self.session.events_received():
            if isinstance(event, AudioLost):
                self.lose(event.channel, event.span)
            elif isinstance(event, Finished):
                self.finished = event
                for span in event.uncovered:
                    self.lose(*span)
            elif isinstance(event, Result):
                self.hear(event)

    def lose(self, channel, span):
        for cell in range(self.start, self.cells):
            if span.start <= cell * CELL + CELL // 2 < span.end:
                self.lost[channel, cell] += 1

    def hear(self, results):
        for word in results.words:
            channel, cell = (int(part) for part in word.word.split("-"))
            assert channel == results.channel
            assert word.span == (cell * CELL + 160, cell * CELL + 640), "a word at a wrong time"
            if results.is_final:
                self.heard[channel, cell] += 1

    def cell_of(self, place):
        """Which cell of the call is at a place of this socket's audio, in cells."""
        octets = bytes(self.sent[2 * CELL * place : 2 * CELL * (place + 1)])
        found = NOISE.find(octets)
        assert found >= 0, "what was sent is not the call's audio"
        assert found % (2 * CELL) == 0
        return found // (2 * CELL)

    def results(self, channel, first, last, final):
        words = [
            {"word": f"{channel}-{self.cell_of(place)}", "start": place * TENTH + 0.02, "end": place * TENTH + 0.08}
            for place in range(first, last)
        ]
        best = {"transcript": " ".join(word["word"] for word in words), "confidence": 1.0, "words": words}
        return json.dumps(
            {
                "type": "Results",
                "channel_index": [channel, 2],
                "start": first * TENTH,
                "duration": (last - first) * TENTH,
                "is_final": final,
                "speech_final": False,
                "channel": {"alternatives": [best]},
            }
        )

    @property
    def open(self):
        return self.session.state in (State.OPEN, State.CLOSING)

    # What happens.

    @precondition(lambda self: self.cells < 2000)
    @rule(cells=st.integers(1, 12))
    def speak(self, cells):
        for _ in range(cells):
            self.now += TENTH
            if not self.finishing:
                self.session.receive_audio(NOISE[2 * CELL * self.cells : 2 * CELL * (self.cells + 1)], self.now)
                self.cells += 1
            self.obey()

    @precondition(lambda self: self.session.policy.kept)
    @rule(behind=st.integers(0, 20))
    def write(self, behind):
        """The disk has got so far."""
        self.session.spare((self.cells - behind) * CELL)
        self.obey()

    @property
    def finishing(self):
        return self.session._ending.begun

    @precondition(lambda self: self.connecting)
    @rule()
    def connect(self):
        self.connecting = False
        self.forget_socket()
        self.session.connected("r", self.now)
        self.obey()

    @precondition(lambda self: self.connecting)
    @rule(status=st.sampled_from([None, 429, 503, 401, 402, 500, 408]))
    def refuse(self, status):
        self.connecting = False
        self.session.refused(Refusal(status, "no", None), self.now)
        self.obey()

    @precondition(lambda self: self.connecting and self.cells - self.start > 100)
    @rule()
    def refuse_for_good(self):
        self.refuse(400)

    @precondition(lambda self: self.open and not self.finishing)
    @rule(cells=st.integers(5, 40))
    def outage(self, cells):
        """The socket is lost while people speak, and there is another."""
        self.drop(None)
        self.speak(cells)
        self.wait(30.0)
        if self.connecting:
            self.connect()

    @precondition(lambda self: self.session.movable)
    @rule()
    def move(self):
        """Another socket takes over from the one that is open, at any moment."""
        self.forget_socket()
        self.session.moved("r", self.now)
        self.obey()

    @precondition(lambda self: self.open)
    @rule(channel=st.integers(0, 1), cells=st.integers(1, 30))
    def settle(self, channel, cells):
        first = self.marks[channel]
        last = min(first + cells, len(self.sent) // (2 * CELL))
        if last > first:
            self.marks[channel] = last
            self.last = self.results(channel, first, last, True)
            self.session.receive_text(self.last, self.now)
            self.obey()

    @precondition(lambda self: self.open)
    @rule(channel=st.integers(0, 1), cells=st.integers(1, 30), comes=st.booleans())
    def keep_a_final_back(self, channel, cells, comes):
        """A final that is lost on the way, or that comes after those of later audio."""
        first = self.marks[channel]
        last = min(first + cells, len(self.sent) // (2 * CELL))
        if last > first:
            self.marks[channel] = last
            if comes:
                self.late.append(self.results(channel, first, last, True))

    @precondition(lambda self: self.open and self.late)
    @rule()
    def send_a_late_final(self):
        self.session.receive_text(self.late.pop(0), self.now)
        self.obey()

    @precondition(lambda self: self.open and self.last)
    @rule()
    def repeat_a_final(self):
        self.session.receive_text(self.last, self.now)
        self.obey()

    @precondition(lambda self: self.open)
    @rule(channel=st.integers(0, 1))
    def guess(self, channel):
        last = len(self.sent) // (2 * CELL)
        if last > self.marks[channel]:
            self.session.receive_text(self.results(channel, self.marks[channel], last, False), self.now)
            self.obey()

    @precondition(lambda self: self.open)
    @rule(code=st.sampled_from([None, 1000, 1011]))
    def drop(self, code):
        self.closing = False
        self.session.closed(code, "", self.now)
        self.obey()

    @precondition(lambda self: self.fetching)
    @rule(gone=st.integers(0, 8), cells=st.integers(1, 120))
    def fetch(self, gone, cells):
        """From the disk, where the oldest may be gone."""
        asked, self.fetching = self.fetching, None
        first = asked.start // CELL
        self.gone |= set(range(first, first + gone))
        end = min(first + cells, (asked.start + asked.samples + CELL - 1) // CELL)
        while first in self.gone:
            first += 1
        last = first
        while last < end and last not in self.gone:
            last += 1
        audio = NOISE[2 * CELL * first : 2 * CELL * last]
        self.session.receive_fetched(asked.start, first * CELL if audio else asked.start, audio, self.now)
        self.obey()

    @rule(seconds=st.sampled_from([0.0, 0.3, 5.0, 30.0]))
    def wait(self, seconds):
        until = self.now + seconds
        fired = 0
        while (timer := self.session.get_timer()) is not None and timer <= until:
            self.now = max(self.now, timer)
            self.session.handle_timer(self.now)
            self.obey()
            fired += 1
            assert fired < 1000, "a timer that fires for ever"
        self.now = until

    @precondition(lambda self: self.cells - self.start > 60)
    @rule()
    def finish(self):
        self.end()

    def end(self):
        self.session.finish(self.now)
        self.obey()

    @precondition(lambda self: self.closing and self.session.state is State.CLOSING)
    @rule()
    def flush(self):
        """Deepgram answers CloseStream in order: the last finals, then Metadata."""
        whole = len(self.sent) // (2 * CELL)
        for channel in (0, 1):
            if self.session.state is State.CLOSING and self.marks[channel] < whole:
                self.session.receive_text(self.results(channel, self.marks[channel], whole, True), self.now)
                self.obey()
                self.marks[channel] = whole
        if self.session.state is State.CLOSING and len(self.sent) == 2 * CELL * whole:
            self.session.receive_text('{"type": "Metadata"}', self.now)
            self.obey()

    # What holds.

    @invariant()
    def nothing_comes_twice(self):
        if hasattr(self, "heard"):
            assert all(count == 1 for count in self.heard.values()), "a word came twice"
            assert all(count == 1 for count in self.lost.values()), "a loss was told twice"
            assert not self.heard.keys() & self.lost.keys(), "a word came that was declared lost"

    @invariant()
    def what_is_neither_heard_nor_lost_is_waiting(self):
        if hasattr(self, "heard") and self.finished is None:
            for channel in (0, 1):
                for cell in range(self.start, self.session.settled // CELL):
                    assert (channel, cell) in self.heard or (channel, cell) in self.lost, "settled and never heard"

    def teardown(self):
        if not hasattr(self, "heard"):
            return
        self.end()
        for _ in range(100):
            if self.session.state is State.ENDED:
                break
            self.connecting = False  # nobody answers any more
            self.wait(30.0)
        assert self.session.state is State.ENDED
        self.nothing_comes_twice()
        for cell in range(self.start, self.cells):
            for channel in (0, 1):
                assert (channel, cell) in self.heard or (channel, cell) in self.lost, "neither heard nor declared lost"


class Twins:
    """Two sessions to which the same happens; one of them takes the short way with each chunk that it can."""

    def __init__(self, *arguments):
        self.short, self.long = Session(*arguments, Random(1)), Session(*arguments, Random(1))
        self.passed = []

    def receive_audio(self, chunk, now):
        data = self.short.pass_on(chunk, now)
        if data is None:
            self.short.receive_audio(chunk, now)
        else:
            self.passed.append(Send(data))
        self.long.receive_audio(chunk, now)

    def data_to_send(self):
        passed, self.passed = self.passed, []
        commands = [*passed, *self.short.data_to_send()]
        assert commands == self.long.data_to_send()
        return commands

    def __getattr__(self, name):
        short, long = getattr(self.short, name), getattr(self.long, name)
        if not callable(short):
            return short

        def both(*arguments):
            told = short(*arguments)
            assert told == long(*arguments)
            assert repr(self.short) == repr(self.long)
            assert self.short.get_timer() == self.long.get_timer()
            return told

        return both


class ShortWay(World):
    """The same, and a person who asks for what was said, an interim that stands, an ear that is deaf, a slow pace."""

    @initialize(
        kept=st.booleans(),
        window=st.sampled_from([0.5, 2.0, 60.0]),
        held=st.sampled_from([0.0, 4.0]),
        deaf=st.sampled_from([1.0, 10.0, 1e9]),
        burst=st.sampled_from([0.2, 1e6]),
    )
    def begin(self, kept, window, held, deaf, burst):
        policy = SessionPolicy(
            kept=kept, window=window, held=held, deaf=deaf, burst=burst, finalize=1.0, catch_up=0.0005, speed=1000.0
        )
        self.prepare(Twins(policy), 0)

    @rule(said=st.lists(st.sampled_from("123gs"), min_size=3, max_size=12))
    def talk(self, said):
        """For a while all goes well."""
        self.wait(30.0)
        if self.connecting:
            self.connect()
        for what in said:
            if what == "g" and self.open:
                self.guess(0)
            elif what == "s" and self.open:
                self.settle(1, 2)
            elif what.isdigit():
                self.speak(int(what))

    @rule(ahead=st.integers(-5, 20))
    def ask_for_what_was_said(self, ahead):
        for session in (self.session.short, self.session.long):
            session.asking.finalize((self.cells + ahead) * CELL)
        self.session.ask(self.now)
        self.obey()

    @rule()
    def have_something_changed(self):
        for session in (self.session.short, self.session.long):
            session.asking.configure(Configuration(keyterms=("Acme",)))
        self.session.ask(self.now)
        self.obey()


ShortWay.TestCase.settings = settings(stateful_step_count=50)
test_the_short_way_leads_where_the_long_one_does = ShortWay.TestCase
World.TestCase.settings = settings(max_examples=settings.default.max_examples * 3, stateful_step_count=50)
test_an_octet_is_heard_once_or_waiting_or_declared_lost = World.TestCase
