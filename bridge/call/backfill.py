"""Transcribes kept audio after the call, through the pre-recorded API: what no live final covers.

What is to be done for a call follows from its log alone, so that any process can do it, and each piece is committed
with its finals: after a crash the rest is done, and nothing twice. A Deepgram that is away is tried again for a set
time; then the stretch is told as a gap, and its audio stays until it is too old, for `bridge backfill`.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from aiohttp import ClientSession

from bridge.audio import AudioFormat
from bridge.call import describe, pieces, vosk
from bridge.call.call_options import CallOptions
from bridge.call.event_writer import EventWriter
from bridge.call.leftovers import Leftovers, ended_at
from bridge.call.observed import Observed
from bridge.call.projection import Projection
from bridge.call.recovery import is_earlier, last_heard, read_projection, reopen_last
from bridge.call.repair import Repair, TooLarge
from bridge.deepgram.batch import Transcribed
from bridge.deepgram.choice import Choice
from bridge.deepgram.messages import TOO_LARGE, Blame, Refusal
from bridge.deepgram.options import Options
from bridge.deepgram.origins import Origins
from bridge.deepgram.prerecorded import open_session, transcribe
from bridge.errors import StoreError
from bridge.redaction.muting import muted
from bridge.store.base import EventLog, Ownership
from bridge.store.kept import CallAudio, KeptAudio

log = logging.getLogger("bridge.backfill")

_LOOK = 1.0  # seconds between two looks for what other processes ask for
_TROUBLE = 60.0  # the same, where that cannot be seen
_PATIENCE = 60.0  # seconds for which that is tried


@dataclass(frozen=True, slots=True)
class BackfillPolicy:
    """How patient, and how busy."""

    vosk_request: str | None = None
    """What a Vosk server is asked, which hears calls in Deepgram's place: path and query."""
    timeout: float = 3600.0
    """Seconds after the end of a call in which its audio is tried."""
    keep: float = 7 * 86400.0
    """Seconds after the end of a call for which audio that was given up stays."""
    at_once: int = 4
    """Calls; one that waits for its next try does not count."""
    first_pause: float = 2.0
    """Seconds before the first new try; doubles from try to try."""
    longest_pause: float = 60.0
    longest: int = pieces.LONGEST
    """Samples that Deepgram is given at once."""


@dataclass(slots=True)
class _Effort:
    """How long a call is still tried."""

    deadline: float
    """Seconds since 1970."""
    pause: float
    """Seconds to the next try."""
    longest: int
    """Samples that Deepgram takes at once, as far as is known."""


class _NotNow(Exception):
    """Deepgram may say it later: give the slot to another call."""


class Backfill:
    """`async with Backfill(…) as backfill:`, on the loop of the stores."""

    def __init__(
        self,
        store: EventLog,
        audio: KeptAudio,
        origins: Origins,
        policy: BackfillPolicy,
        call_options: CallOptions,
        *,
        wall: Callable[[], float],
        random: Random,
        requests: Path | None = None,
        owners: Ownership | None = None,
        on_refusal: Callable[[str, Refusal], object] = lambda call_id, refusal: None,
        observed: Callable[[str], Observed] = lambda carrier: Observed(carrier, Counter()),
    ) -> None:
        """`origins`: of Deepgram's, shared with the live calls. `wall` tells seconds since 1970. `requests`: a folder
        in which a file named like a call asks for it, put there by `request` in another process. `owners`: say whose a
        call is, where there may be other processes. `on_refusal` is told of Deepgram's answers that are none, where no
        origin has given one. `observed`: a call of a carrier, as it is seen.
        """
        self.counters: Counter[str] = Counter()
        self._store = store
        self._audio = audio
        self._origins = origins
        self._http: list[ClientSession] = []  # one for each origin
        self._policy = policy
        self._call_options = call_options
        self._wall = wall
        self._random = random
        self._slots = asyncio.Semaphore(policy.at_once)
        self._jobs: dict[str, asyncio.Task[bool]] = {}
        self._requests = requests
        self._owners = owners
        does = self.offer, self._finish_left, observed
        self._leftovers = Leftovers(store, audio, owners, *does, keep=policy.keep, wall=wall)
        self._on_refusal = on_refusal
        self._observed = observed
        self._watchers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Backfill":
        self._http = [open_session(origin.route) for origin in self._origins.all]
        self._watchers = [asyncio.create_task(self._sweep())]
        if self._requests:
            self._watchers.append(asyncio.create_task(self._look(self._requests)))
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._watchers, *self._jobs.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for session in self._http:
            await session.close()

    def __repr__(self) -> str:
        return f"<Backfill {len(self._jobs)} calls {dict(self.counters)}>"

    @property
    def waiting(self) -> int:
        """Calls that are being worked on, or wait for it."""
        return len(self._jobs)

    def has(self, call_id: str) -> bool:
        """Whether a call is being worked on, or waits for it."""
        return call_id in self._jobs

    def offer(self, call_id: str, patience: float = 0.0) -> asyncio.Task[bool]:
        """Transcribe what a call that has ended still lacks; the task tells whether all of it is done.

        `patience`: seconds from now in which it is tried, where that is later than the policy says.
        """
        task = self._jobs.get(call_id)
        if task is None:
            work = self._work(call_id, patience)
            task = self._jobs[call_id] = asyncio.create_task(work, name=f"backfill {call_id}")
            task.add_done_callback(lambda _: self._jobs.pop(call_id, None))
        return task

    async def cancel(self, call_id: str) -> None:
        """Leave a call alone: its audio is about to be deleted."""
        if task := self._jobs.get(call_id):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def recover(self) -> None:
        """Take up what another process has left, but for what it has given up."""
        await self._leftovers.look(first=True)

    async def _work(self, call_id: str, patience: float) -> bool:
        effort = _Effort(self._wall() + patience, self._policy.first_pause, self._policy.longest)
        try:
            while (done := await self._try(call_id, effort)) is None:
                # Others have the slot meanwhile, and the memory that the audio took.
                await asyncio.sleep(effort.pause * self._random.uniform(0.5, 1.0))
                effort.pause = min(self._policy.longest_pause, 2 * effort.pause)
            if self._owners and not done:
                await self._owners.leave_ended(call_id)  # who is asked for it may try
        except StoreError as error:
            log.error("not backfilled", extra={"call_id": call_id, "reason": str(error)})
            return False
        self.counters["done" if done else "given_up"] += 1
        log.log(logging.INFO if done else logging.WARNING, "backfill over", extra={"call_id": call_id, "done": done})
        return done

    async def _try(self, call_id: str, effort: _Effort) -> bool | None:
        """Go on from what the log says; None: it is to be tried again."""
        async with self._slots, self._taken(call_id), self._open(call_id) as (file, projection):
            if projection.seq and not projection.ended:
                # It may go on yet. Until it ends nothing says what it lacks, and all of its audio is needed.
                raise StoreError(f"call {call_id} has not ended")
            effort.deadline = max(effort.deadline, ended_at(projection) + self._policy.timeout)
            try:
                done = await self._repair(call_id, projection, file, effort)
            except _NotNow:
                return None
            if done:
                await self._finish(file, call_id)
            return done

    async def _repair(self, call_id: str, projection: Projection, file: CallAudio, effort: _Effort) -> bool:
        options = self._call_options.of(call_id, projection.parameters)
        observed = self._observed(projection.started.get("carrier", ""))
        writer = EventWriter(call_id, self._store, self._wall, projection.seq, on_gap=observed.lack)
        repair = Repair(
            projection,
            writer,
            file,
            ask=lambda audio: self._ask(options, audio, file.format, call_id, effort),
            language=describe.language(options),
            longest=effort.longest,
            rules=self._call_options.rules(call_id, projection.redact),
        )
        span = observed.traces.begin("backfill", call_id, {"bridge.carrier": observed.carrier})
        done = False
        try:
            done = await repair.run()
        finally:
            effort.longest = repair.longest
            span.end(None if done else "not all of it is transcribed")
        if writer.unkept:  # then its audio is all there is of those words
            raise StoreError(f"the store did not keep {writer.unkept} events of call {call_id}")
        return done

    @asynccontextmanager
    async def _taken(self, call_id: str) -> AsyncIterator[None]:
        """From here on no one adds to the record, which is read next, who has had the call before. It stays ours."""
        if self._owners and await self._owners.take_ended(call_id) is None:
            raise StoreError(f"call {call_id} has not ended, or is another process's")
        yield

    @asynccontextmanager
    async def _open(self, call_id: str) -> AsyncIterator[tuple[CallAudio, Projection]]:
        projection = await read_projection(self._store, call_id)
        if (file := await reopen_last(self._audio, call_id, last_heard(projection, self._owners))) is None:
            raise StoreError("its last audio is on another disk, or on none")
        try:
            yield file, projection
        finally:
            file.close()

    async def _ask(
        self, options: Options, audio: bytes, format: AudioFormat, call_id: str, effort: _Effort
    ) -> Transcribed | TooLarge | None:
        """What Deepgram hears in it; None where it can never say, or the deadline is near. Raises `_NotNow`."""
        clock = asyncio.get_running_loop().time
        choice, refusals = Choice(self._origins, call_id), list[Refusal]()
        while True:
            if choice.next(clock()) is None:
                probing = self._origins.is_probing(choice.place)
                outcome, options = await self._transcribe(choice, options, audio, format, call_id)
                if isinstance(outcome, Transcribed):
                    self._origins.succeeded(choice.place)
                    effort.pause = self._policy.first_pause
                    return outcome
                self.counters["refused"] += 1
                refusals.append(outcome)
                # One slow answer here says nothing about the live API; a probe does, and so does a bad key.
                counts = probing or outcome.blame is Blame.ACCOUNT
                choice.refused(choice.place, outcome, clock(), own_options=options.own, counts=counts)
            if (refusals and refusals[-1].status == TOO_LARGE) or not choice.is_fresh(clock()):
                break
        if refusals:
            self._on_refusal(call_id, _likeliest_to_heal(refusals))
            if refusals[-1].status == TOO_LARGE:
                return TooLarge()
        if choice.is_hopeless or self._wall() + effort.pause > effort.deadline:
            return None
        raise _NotNow

    async def _transcribe(
        self, choice: Choice, options: Options, audio: bytes, format: AudioFormat, call_id: str
    ) -> tuple[Transcribed | Refusal, Options]:
        """What an origin says, and to which options: to the operator's where it refuses the call's own."""
        http, origin, asked = self._http[choice.place], choice.origin, self._policy.vosk_request
        if asked is not None:
            return await vosk.transcribe(origin, asked, audio, call_id=call_id, format=format), options
        ask = partial(transcribe, http, origin.url, origin.key, audio=audio, call_id=call_id, format=format)
        outcome = await ask(options=options)
        if options.fallback and isinstance(outcome, Refusal) and outcome.may_be_over_options:
            log.warning("options of the call refused", extra={"call_id": call_id, "status": outcome.status})
            options = options.fallback
            outcome = await ask(options=options)
        return outcome, options

    async def _sweep(self) -> None:
        """Remove audio that was given up, once it is too old; take up what no process works on."""
        while True:
            await asyncio.sleep(self._leftovers.pause)
            await self._leftovers.look()

    async def _finish_left(self, call_id: str) -> None:
        resumed = last_heard(await read_projection(self._store, call_id), self._owners)
        file = await self._audio.reopen(call_id)
        # What a process has that was not the call's last is no recording of it.
        await (file.remove() if is_earlier(file, resumed) else self._finish(file, call_id))

    async def _finish(self, file: CallAudio, call_id: str) -> None:
        """Its audio is needed no more; a recording of it is silent where the log says that words were taken out."""
        mute = self._call_options.redaction.mute
        await file.finish(muted((await read_projection(self._store, call_id)).redacted) if mute else ())

    async def _look(self, requests: Path) -> None:
        """Do what other processes ask for."""
        while True:
            try:
                asked = await asyncio.to_thread(_taken, requests)
            except OSError as error:
                log.error("cannot look for requests to backfill", extra={"reason": error.strerror})
                await asyncio.sleep(_TROUBLE)
                continue
            for call_id in asked:
                log.info("asked to backfill", extra={"call_id": call_id})
                self.offer(call_id, _PATIENCE)
            await asyncio.sleep(_LOOK)


def _likeliest_to_heal(refusals: list[Refusal]) -> Refusal:
    """Of several origins' the one that passes by itself, if one does."""
    return next((refusal for refusal in refusals if refusal.blame is Blame.PASSING), refusals[-1])


def request(requests: Path, call_id: str) -> None:
    """Ask the process that has the stores to backfill a call."""
    requests.mkdir(mode=0o700, parents=True, exist_ok=True)
    (requests / call_id).touch(mode=0o600)


def _taken(requests: Path) -> list[str]:
    """The calls that are asked for, each once."""
    paths = list(requests.iterdir()) if requests.is_dir() else []
    for path in paths:
        path.unlink()
    return [path.name for path in paths]
