"""One call's conversation with Deepgram, over as many sockets as it takes: a machine without a socket or a clock.

Theory of operation. Audio goes into a window and stays there until every channel has a final that covers it. While a
socket is open, what has not been sent goes out, at most `speed` times as fast as real time, because Deepgram takes no
more. When a socket is lost, the next one starts from the earliest moment that is not covered, and its times, which
start at 0 again, get that moment added: times are audio positions, never wall clock. Words that a channel has already
had in a final are dropped by their time, so nothing comes twice. What the window holds no more is fetched from where
the shell keeps it, or given up and told. A hole that finals have left is sent once more at most, with the next socket;
what stays is named at the end. `backlog` keeps the audio; the tables of `states` and `ending` say what follows what.

Source: https://developers.deepgram.com/docs/recovering-from-connection-errors-and-timeouts-when-live-streaming-audio
"""

from collections.abc import Iterable
from dataclasses import replace
from random import Random

from bridge.deepgram.asking import Asking
from bridge.deepgram.backlog import Backlog
from bridge.deepgram.delay import DelayMeter
from bridge.deepgram.dialect import Dialect, Listen
from bridge.deepgram.ending import Ending
from bridge.deepgram.exchange import Close, Command, Connect, Finished, Send, SessionEvent, SessionPolicy, Uncovered
from bridge.deepgram.interruption import GIVEN_UP, Interruption
from bridge.deepgram.journal import Journal
from bridge.deepgram.latency import LatencyMeter
from bridge.deepgram.messages import Blame, ConfigureAnswer, DeepgramError, Message, Metadata, Other, Refusal
from bridge.deepgram.outflow import Outflow
from bridge.deepgram.retries import Retries
from bridge.deepgram.states import State, Trigger, follow
from bridge.errors import LocalProtocolError
from bridge.recognition import Recognized, Result


class Session:
    """Give it the call's audio and what a socket says; do what `data_to_send` asks, tell what `events_received` has,
    and wake it when `get_timer` says. Every method that can need the time takes `now`, seconds on any steady clock."""

    def __init__(
        self,
        policy: SessionPolicy,
        random: Random,
        start: int = 0,
        latency: LatencyMeter | None = None,
        dialect: Dialect | None = None,
        delay: DelayMeter | None = None,
    ) -> None:
        """`start`: position of the first sample that will come. `dialect`: by default Deepgram's `/v1/listen`."""
        self.state = State.IDLE
        self.policy = policy
        self.request_id: str | None = None
        self._dialect = dialect or Listen()
        self.journal = Journal(self._dialect)
        self.latency = latency or LatencyMeter()
        self.asking = Asking(policy.finalize, policy.format.channels, self._dialect)
        """What is asked of Deepgram beside the audio; after a new question `ask` has it sent."""
        self.origin: str | None = None  # the name of the one that its socket is at, where the shell says so
        self._interruption = Interruption()
        self._backlog = Backlog(policy, start, self.latency, delay)
        self._outflow = Outflow(policy)
        self.retries = Retries(policy, random)
        self._asked: int | None = None  # position of the one fetch in flight; it may outlive the socket it is for
        self._ending = Ending(policy)
        self._commands: list[Command] = []
        self._events: list[SessionEvent | DeepgramError] = []

    def __repr__(self) -> str:
        states = f"{self.state.name} {self._ending.state.name}"
        return f"<Session {states} {self._backlog!r} fetching {self._asked} {self.journal!r}>"

    @property
    def interruption(self) -> tuple[int | None, str] | None:
        """Status and reason, as they were told last, while no socket answers after one was lost."""
        return self._interruption.now

    @property
    def movable(self) -> bool:
        """Another socket could take over from this one, and would not have much to be sent again."""
        return self.state is State.OPEN and not self._ending.begun and self._backlog.waiting <= self.policy.again

    @property
    def quiet(self) -> bool:
        """No word waits for its final, and none is being said."""
        return self.asking.is_settled and not self._backlog.unsent and not self._backlog.mid_speech

    @property
    def unsent(self) -> float:
        """Seconds of audio that Deepgram has not been sent."""
        return self._backlog.unsent

    @property
    def settled(self) -> int:
        """How far every channel of the call is covered by finals without a hole: kept audio is needed from here on."""
        return self._backlog.settled

    @property
    def holes(self) -> list[Uncovered]:
        """What finals have passed over and not covered, so far; most calls have none at any time."""
        return self._backlog.holes

    # In.

    def start(self, now: float) -> None:
        """Open the first socket; call once, at the start of the stream."""
        self._outflow.start(now)
        self._connect()

    def receive_audio(self, chunk: bytes, now: float) -> None:
        """More of the call, in the policy's format: whole samples."""
        if not self._ending.receive_audio() or not chunk:
            return
        self._backlog.append(chunk, now)
        if self.state is State.OPEN:
            self._send_audio(now)
        elif self.state is State.IDLE:
            self._connect()

    def pass_on(self, chunk: bytes, now: float) -> bytes | None:
        """The short way of nearly every chunk: what the socket is to be sent of it, where there is nothing else to do,
        to ask or to tell. None: nothing has happened yet, and `receive_audio` is to be given the chunk."""
        busy = self.state is not State.OPEN or self._commands or self._events or self._ending.begun
        if busy or not (chunk and self._backlog.level and self.asking.rests(now) and self._outflow.pass_on(chunk, now)):
            return None
        self._backlog.pass_on(chunk, now)
        return self._dialect.encode(chunk)

    def spare(self, kept: int) -> None:
        """Audio before `kept` can be fetched by now; so can what this socket has not been sent of it."""
        self._backlog.spare(kept)

    def receive_fetched(self, asked: int, start: int, audio: bytes, now: float) -> None:
        """What was fetched where `asked` was asked for; it begins at `start`, later where that is not kept any more.
        Raises LocalProtocolError if it was not asked for. For a socket that is gone it comes too late, and is let go.
        """
        if asked != self._asked:
            raise LocalProtocolError("audio was fetched that was not asked for")
        self._asked = None
        if self.state is State.OPEN:
            self._events += self._backlog.refill(asked, start, audio)
            self._send_audio(now)

    def connected(self, request_id: str | None, now: float) -> None:
        """The socket is open: ready at once, Deepgram sends no greeting."""
        if self._become(Trigger.CONNECTED):
            self._begin(request_id, now, self.retries.attempt if self.interruption else None)

    def moved(self, request_id: str | None, now: float) -> None:
        """Another socket, opened beside this one, takes over. Raises LocalProtocolError unless `movable`."""
        if not self.movable:
            raise LocalProtocolError("a session that owes much, or nothing, is not moved")
        self._begin(request_id, now, self.retries.attempt if self.interruption else 0)

    def refused(self, refusal: Refusal, now: float, *, own: bool = False, elsewhere: bool = False) -> None:
        """The socket could not be opened. An error of an open one may be told so too, before or instead of its end.

        `own`: over the call's own options, which the next one does without. `elsewhere`: another origin may take it.
        """
        if own:
            self._lose_socket(replace(refusal, reason=f"{refusal.reason} {GIVEN_UP}"), now)
            self.retries.hasten(now)
        elif refusal.blame is not Blame.REQUEST or elsewhere:
            self._lose_socket(refusal, now, slow=refusal.blame is Blame.ACCOUNT and not elsewhere)
        elif self._become(Trigger.REFUSED):
            self.retries.fail_for_good()
            self._tell(refusal, retry=False)
            if self._ending.begun:
                self._end()

    def receive_text(self, text: str | bytes, now: float) -> None:
        """One frame; a bad one is counted and changes nothing. A socket that was given up is not heard any more."""
        self._become(Trigger.TEXT)
        if self.state not in (State.OPEN, State.CLOSING):
            return
        for message in self.journal.read(text):
            self._take(message, now)

    def closed(self, code: int | None, reason: str, now: float) -> None:
        """The socket is gone, open or not yet; `code` None if it went without a close frame."""
        for message in self._dialect.closed(code) if self.state is State.CLOSING else ():
            self._take(message, now)
        self._lose_socket(Refusal(code, reason or "connection lost", self.request_id), now)

    def pause(self, now: float) -> None:
        """The carrier sends nothing for now: ask for what was said last, which no silence after it will settle."""
        if self.state is State.OPEN and not self._ending.begun and not self._backlog.unsent:
            self._ask(self.asking.pause(), now)

    def ask(self, now: float) -> None:
        """Send what is to be asked, as soon as it can be; with another socket if there is none."""
        if self.state is State.OPEN:
            self._send_audio(now)

    def finish(self, now: float, *, cut: bool = False) -> None:
        """No more audio comes: send the rest, ask for the last results, wait for them, but not for ever. `cut`: the
        call goes on; what comes after this is kept for later, and a word that lies across the cut is left to that."""
        cut = cut and self.policy.kept and self._backlog.mid_speech
        self._ending.begin(now, self._backlog.unsent, self._backlog.waiting, cut=cut)
        if self.state is State.OPEN:
            self._send_audio(now)
        elif self.state in (State.IDLE, State.REFUSED):
            self._end()

    def abort(self) -> None:
        """Wait for nothing more: what no final covers yet is left uncovered."""
        self._end()

    # When.

    def get_timer(self) -> float | None:
        """When to call `handle_timer`; None: not at all."""
        times = [time for time in (self._ending.deadline, self.retries.at) if time is not None]
        if self.state is State.OPEN:
            if self._backlog.ready:
                times.append(self._outflow.next_time())
            elif self._backlog.begun and self._dialect.keep_alive:
                times.append(self._outflow.keep_alive_at)
        return min(times, default=None)

    def handle_timer(self, now: float) -> None:
        """What is due by `now`."""
        if self._ending.is_over(now):
            self._end()
        elif self.retries.at is not None and now >= self.retries.at:
            self._connect()
        elif self.state is State.OPEN:
            if self._backlog.ready:
                self._send_audio(now)
            elif (text := self._dialect.keep_alive) and self._backlog.begun and now >= self._outflow.keep_alive_at:
                # Only after the first audio: Deepgram does not let a KeepAlive alone keep a stream.
                self._commands.append(Send(text))
                self._outflow.said(now)

    # Out.

    def data_to_send(self) -> list[Command]:
        """What the shell is to do, in order."""
        commands, self._commands = self._commands, []
        return commands

    def events_received(self) -> list[SessionEvent | DeepgramError]:
        """What the call is to know, in order, times in seconds of the call; and errors, which are for the log."""
        events, self._events = self._events, []
        return events

    # Inside.

    def _become(self, trigger: Trigger) -> bool:
        """Whether that changed the state; what comes too late does not."""
        state, self.state = self.state, follow(self.state, trigger)
        return self.state is not state

    def _begin(self, request_id: str | None, now: float, resumed: int | None) -> None:
        """A socket that was opened is sent the audio. `resumed`: its first answer is news, after so many failures."""
        self.request_id = request_id
        self._outflow.answered(now)
        if resumed is not None:
            self._interruption.reopened(resumed, self._backlog.waiting, request_id, self.origin)
        self._events += self._backlog.rewind()
        self.asking.connected(self._backlog.sent)
        self.journal.connected(request_id, self._backlog.sent, self.origin)
        self._commands += map(Send, self._dialect.opened())
        if self._ending.begun:
            self._ending.plan(now, self._backlog.unsent)
        self._send_audio(now)

    def _connect(self) -> None:
        self._become(Trigger.CONNECT)
        self.retries.at = self.request_id = None
        self._commands.append(Connect())

    def _send_audio(self, now: float) -> None:
        """As much of what waits as the ceiling allows; after the last of it, CloseStream if that is all."""
        backlog, leaving = self._backlog, self._ending.leaving
        while not leaving and backlog.ready and self._outflow.allows(now):
            chunk = backlog.next_chunk(now)
            self._outflow.sent(chunk, now)
            self._commands.append(Send(self._dialect.encode(chunk)))
            self._ask(self.asking.settling(backlog.sent), now)
        if leaving or (self._ending.begun and not backlog.unsent):
            self._become(Trigger.ALL_SENT)
            self._commands.append(Send(self._dialect.closing))
            self._ending.all_sent(now)
        elif self._outflow.is_deaf(now):
            self._lose_socket(Refusal(None, "no results", self.request_id), now)
            self._commands.append(Close())
        else:
            self._ask(self.asking.due(backlog.sent, now), now)
            if self._asked is None and (fetch := backlog.missing()):
                self._asked = fetch.start
                self._commands.append(fetch)

    def _ask(self, texts: Iterable[str], now: float) -> None:
        for text in texts:
            self._commands.append(Send(text))
            self._outflow.said(now)

    def _lose_socket(self, lost: Refusal, now: float, *, slow: bool = False) -> None:
        """However it was lost: what is owed decides whether there is another. Told twice, it is lost once."""
        self._backlog.settle_quiet()
        if self.state is State.CLOSING and (self._ending.leaving or not self._backlog.uncovered):
            self._end(Trigger.DONE)
        elif self.state is State.OPEN and not self._backlog.uncovered:
            self._become(Trigger.DONE)
        elif self._become(Trigger.LOST):
            self.retries.fail(now, slow=slow)
            self._tell(lost, retry=not slow)

    def _tell(self, lost: Refusal, *, retry: bool) -> None:
        attempt, waiting = self.retries.attempt, self._backlog.waiting
        self._events += self._interruption.begin(lost, attempt, waiting, self.origin, retry=retry)

    def _take(self, message: Message, now: float) -> None:
        match message:
            case Metadata():
                self._end(Trigger.FLUSHED)
            case ConfigureAnswer() | DeepgramError():
                if configured := self.asking.answered(message):
                    self._events.append(configured)
                elif isinstance(message, DeepgramError):
                    self.journal.bad_messages += 1
                    self._events.append(message)
            case Other():
                pass
            case _ if message.channel < self.policy.format.channels:
                self._hear(message, now)
            case _:
                self.journal.bad_messages += 1

    def _hear(self, message: Recognized, now: float) -> None:
        self._outflow.answered(now)
        self._events += self._interruption.answered()
        is_final = isinstance(message, Result) and message.is_final
        settled = self.settled if is_final else 0
        if fresh := self._backlog.hear(message, partial=self._ending.partial):
            self._events.append(fresh)
            if isinstance(fresh, Result):
                self.asking.hear(fresh, now)
        if is_final and self.settled > settled:
            self.retries.forget()  # it gets on, and does not merely answer

    def _end(self, trigger: Trigger = Trigger.ENDED) -> None:
        if not self._become(trigger):
            return
        if trigger is Trigger.FLUSHED and not self._ending.partial:
            self._backlog.settle_tail()
        self._ending.end()
        self.retries.at = None
        self._commands.append(Close())
        self._events.append(Finished(self._backlog.give_up()))
