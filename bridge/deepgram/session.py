"""One call's conversation with Deepgram, over as many sockets as it takes: a machine without a socket or a clock.

Theory of operation. Audio goes into a window and stays there until every channel has a final that covers it. While a
socket is open, what has not been sent goes out, at most `speed` times as fast as real time, because Deepgram takes no
more. When a socket is lost, the next one starts from the earliest moment that is not covered, and its times, which
start at 0 again, get that moment added: times are audio positions, never wall clock. Words that a channel has already
had in a final are dropped by their time, so nothing comes twice. What no longer fits into the window is fetched from
where the shell keeps it, or given up, aloud. `states` draws the machine.

Sources: https://developers.deepgram.com/docs/recovering-from-connection-errors-and-timeouts-when-live-streaming-audio
and the pages on KeepAlive and CloseStream beside it.
"""

from dataclasses import replace
from random import Random

from bridge.audio import CHANNELS, SAMPLE_RATE, SAMPLES_PER_MS, STEREO_RATE
from bridge.deepgram.coverage import Coverage, Skipped, before
from bridge.deepgram.ending import Ending
from bridge.deepgram.exchange import (
    AudioLost,
    Close,
    Command,
    Connect,
    Fetch,
    Finished,
    Interrupted,
    Resumed,
    Send,
    SessionEvent,
    SessionPolicy,
)
from bridge.deepgram.messages import (
    CLOSE_STREAM,
    KEEP_ALIVE,
    Blame,
    DeepgramError,
    Metadata,
    Refusal,
    Results,
    SpeechStart,
    UtteranceEnd,
    parse,
)
from bridge.deepgram.pace import Pace
from bridge.deepgram.states import TRANSITIONS, State
from bridge.deepgram.timeline import Timeline
from bridge.deepgram.watchdog import Watchdog
from bridge.deepgram.window import AudioWindow
from bridge.errors import LocalProtocolError, RemoteProtocolError

_CHUNK = 60 * SAMPLES_PER_MS  # samples in a message of fetched audio
_EDGE = SAMPLE_RATE // 2  # samples before a cut within the audio in which no word is trusted
_FETCH = 10 * SAMPLE_RATE  # samples fetched at once


class Session:
    """Give it the call's audio and what a socket says; do what `data_to_send` asks, tell what `events_received` has,
    and wake it when `get_timer` says. Every method that can need the time takes `now`, seconds on any steady clock.
    """

    def __init__(self, policy: SessionPolicy, random: Random, start: int = 0) -> None:
        """`start`: position of the first sample that will come."""
        self.state = State.IDLE
        self.policy = policy
        self.request_id: str | None = None
        self.messages = 0
        self.bad_messages = 0
        self.sockets = 0
        self.interruption: tuple[int | None, str] | None = None
        """Status and reason, as they were told last, while a socket is lost or refused and there is no other yet."""
        self._random = random
        self._window = AudioWindow(int(policy.window * SAMPLE_RATE), start)
        self._coverage = Coverage((start,) * CHANNELS)
        self._pace = Pace(policy.speed, policy.burst)
        self._timeline = Timeline(start)
        self._attempt = 0
        self._last_sent = 0.0
        self._watchdog = Watchdog(policy.deaf)
        self._fetching = False
        self._ending = Ending(policy)
        self._flushed = False  # Metadata came
        self._retry_at: float | None = None
        self._commands: list[Command] = []
        self._events: list[SessionEvent | DeepgramError] = []

    def __repr__(self) -> str:
        return (
            f"<Session {self.state.name} {self._window!r} {self._coverage!r} sockets {self.sockets} "
            f"messages {self.messages} bad {self.bad_messages}>"
        )

    @property
    def settled(self) -> int:
        """Samples of the call that nobody needs any more: every channel has a final that covers them."""
        return self._coverage.earliest

    # In.

    def start(self, now: float) -> None:
        """Open the first socket; call once, at the start of the stream."""
        self._pace.start(now)
        self._connect()

    def receive_audio(self, chunk: bytes, now: float) -> None:
        """More of the call: interleaved mu-law, whole samples."""
        if self._ending.begun or not chunk:
            return
        self._window.append(chunk)
        if self.state is State.OPEN:
            self._send_audio(now)
        elif self.state is State.IDLE:
            self._connect()

    def receive_fetched(self, asked: int, start: int, audio: bytes, now: float) -> None:
        """What was fetched where `asked` was asked for; it begins at `start`, later where that is not kept any more."""
        self._fetching = False
        if self.state is State.OPEN and asked == self._window.sent:  # and not for a socket that is gone
            if start > asked or not audio:
                self._window.skip(start if audio else self._window.start)
                self._timeline.skip_to(self._window.sent)
                self._tell_lost(self._coverage.skip(asked, self._window.sent))
            self._window.refill(audio, _CHUNK)
        if self.state is State.OPEN:
            self._send_audio(now)

    def connected(self, request_id: str | None, now: float) -> None:
        """The socket is open: ready at once, Deepgram sends no greeting."""
        if self.state is State.ENDED:
            return  # too late; the shell was told to close
        self._become(State.OPEN)
        self.sockets += 1
        self.request_id = request_id
        self._last_sent = now
        self._watchdog.answered(now)
        waiting = self._waiting()
        if not self.policy.kept:
            self._tell_lost(self._coverage.give_up(self._window.start))
        self._timeline = Timeline(self._window.rewind(self._coverage.earliest))
        if self.interruption:
            self._events.append(Resumed(self._attempt, waiting, request_id))
            self.interruption = None
        if self._ending.begun:
            self._ending.plan(now, self._unsent())
        self._send_audio(now)

    def refused(self, refusal: Refusal, now: float) -> None:
        """The socket could not be opened."""
        if self.state is not State.CONNECTING:
            return
        if refusal.blame is not Blame.REQUEST:
            slow = refusal.blame is Blame.ACCOUNT
            self._lose_socket(refusal.reason, refusal.status, refusal.request_id, now, slow=slow)
            return
        self._attempt += 1
        self._tell(refusal.reason, refusal.status, refusal.request_id, retry=False)
        self._become(State.REFUSED)
        if self._ending.begun:
            self._end()

    def receive_text(self, text: str, now: float) -> None:
        """One message of Deepgram's; a bad one is counted and changes nothing."""
        if self.state not in (State.OPEN, State.CLOSING):
            return  # a socket that was given up still had something to say; the next one will say it again
        try:
            message = parse(text)
        except RemoteProtocolError:
            self.bad_messages += 1
            return
        self.messages += 1
        match message:
            case Results(channel=channel) | UtteranceEnd(channel=channel) | SpeechStart(channel=channel):
                if channel < CHANNELS:
                    self._watchdog.answered(now)
                    self._hear(message)
                else:
                    self.bad_messages += 1
            case Metadata() if self.state is State.CLOSING:
                self._flushed = True  # it is Deepgram's last message
                self._end()
            case DeepgramError():
                self.bad_messages += 1
                self._events.append(message)
            case _:
                pass

    def closed(self, code: int | None, reason: str, now: float) -> None:
        """The socket is gone; `code` None if it went without a close frame."""
        match self.state:
            case State.CLOSING if self._ending.leaving or self._uncovered() == 0:
                self._end()
            case State.OPEN if not self._ending.begun and self._uncovered() == 0:
                self._become(State.IDLE)
            case State.OPEN | State.CLOSING:
                self._lose_socket(reason or "connection lost", code, self.request_id, now)
            case _:
                pass

    def finish(self, now: float) -> None:
        """No more audio comes: send the rest, ask for the last results, wait for them, but not for ever."""
        if self._ending.begun:
            return
        self._ending.begin(now, self._unsent(), self._waiting())
        if self.state is State.OPEN:
            self._send_audio(now)
        elif self.state in (State.IDLE, State.REFUSED):
            self._end()

    def abort(self) -> None:
        """Wait for nothing more: what no final covers yet is left uncovered."""
        if self.state is not State.ENDED:
            self._end()

    # When.

    def get_timer(self) -> float | None:
        """When to call `handle_timer`; None: not at all."""
        times = [time for time in (self._ending.deadline, self._retry_at) if time is not None]
        if self.state is State.OPEN:
            if self._window.next_size():
                times.append(self._pace.next_time())
            elif self._timeline.sent:
                times.append(self._last_sent + self.policy.keep_alive)
        return min(times, default=None)

    def handle_timer(self, now: float) -> None:
        """What is due by `now`."""
        if self._ending.deadline is not None and now >= self._ending.deadline:
            self._end()
        elif self._retry_at is not None and now >= self._retry_at:
            self._connect()
        elif self.state is State.OPEN:
            if self._window.next_size():
                self._send_audio(now)
            elif self._timeline.sent and now >= self._last_sent + self.policy.keep_alive:
                # Only after the first audio: Deepgram does not let a KeepAlive alone keep a stream.
                self._commands.append(Send(KEEP_ALIVE))
                self._last_sent = now

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

    def _become(self, state: State) -> None:
        if state not in TRANSITIONS[self.state]:
            raise LocalProtocolError(f"{self.state.name} does not become {state.name}")
        self.state = state

    def _connect(self) -> None:
        self._become(State.CONNECTING)
        self._retry_at = None
        self._commands.append(Connect())

    def _send_audio(self, now: float) -> None:
        """As much of what waits as the ceiling allows; after the last of it, CloseStream if that is all."""
        window = self._window
        while not self._ending.leaving and window.next_size() and self._pace.allows(now):
            chunk = window.next_chunk()
            self._pace.take(len(chunk) / STEREO_RATE)
            self._timeline.advance(len(chunk) // CHANNELS)
            self._commands.append(Send(chunk))
            self._last_sent = now
            self._watchdog.sent(chunk, now)
        if self._ending.leaving or (self._ending.begun and not window.waiting):
            self._become(State.CLOSING)
            self._commands.append(Send(CLOSE_STREAM))
            self._ending.all_sent(now)
        elif self._watchdog.is_deaf(now):
            self._lose_socket("no results", None, self.request_id, now)
            self._commands.append(Close())
        elif window.missing:
            self._fetch()

    def _fetch(self) -> None:
        if not self._fetching:
            self._fetching = True
            self._commands.append(Fetch(self._window.sent, min(self._window.missing, _FETCH)))

    def _lose_socket(
        self, reason: str, status: int | None, request_id: str | None, now: float, *, slow: bool = False
    ) -> None:
        self._attempt += 1
        pause = min(self.policy.longest_retry, self.policy.first_retry * 2 ** min(self._attempt - 1, 16))
        self._retry_at = now + (self.policy.longest_retry if slow else pause) * self._random.uniform(0.5, 1.0)
        self._become(State.WAITING)
        self._tell(reason, status, request_id, retry=not slow)

    def _tell(self, reason: str, status: int | None, request_id: str | None, *, retry: bool) -> None:
        """The same trouble is said once, not once a try."""
        if self.interruption != (status, reason):
            self.interruption = (status, reason)
            self._events.append(Interrupted(reason, status, request_id, self._attempt, self._waiting(), retry))

    def _hear(self, message: Results | UtteranceEnd | SpeechStart) -> None:
        match message:
            case Results():
                settled = self.settled
                fresh = self._coverage.fresh(self._shifted(message), self._window.sent)
                if self.settled > settled:
                    self._attempt = 0  # it gets on, not merely answers: the next trouble starts with a short pause
                    self._window.trim(self.settled)
                if fresh:
                    self._events.append(fresh)
            case UtteranceEnd():
                ended = message.last_word_end
                self._events.append(
                    replace(message, last_word_end=self._timeline.end(ended)) if ended >= 0 else message
                )
            case SpeechStart():
                self._events.append(replace(message, at=self._timeline.start(message.at)))

    def _shifted(self, results: Results) -> Results:
        """The same in seconds of the call."""
        start, end = self._timeline.start, self._timeline.end
        words = tuple(replace(word, start=start(word.start), end=end(word.end)) for word in results.words)
        results = replace(results, start=start(results.start), end=end(results.end), words=words)
        return before(results, (self._window.sent - _EDGE) / SAMPLE_RATE) if self._ending.leaving else results

    def _uncovered(self) -> int:
        return self._window.end - self._coverage.earliest

    def _unsent(self) -> float:
        return self._window.waiting / SAMPLE_RATE

    def _waiting(self) -> float:
        """Seconds of audio that the next socket would have to be sent."""
        oldest = self._coverage.earliest if self.policy.kept else max(self._window.start, self._coverage.earliest)
        return (self._window.end - oldest) / SAMPLE_RATE

    def _tell_lost(self, skipped: list[Skipped]) -> None:
        """Say aloud that nothing will be heard of this: it fell off the window, and is not kept elsewhere."""
        self._events += [AudioLost(*span, "overflow") for span in skipped]

    def _end(self) -> None:
        if self._flushed and not self._ending.leaving:
            self._coverage.give_up(self._window.sent)  # all that was sent has had its finals
        self._become(State.ENDED)
        self._ending.deadline = self._retry_at = None
        self._commands.append(Close())
        self._events.append(Finished(tuple(self._coverage.give_up(self._window.end))))
