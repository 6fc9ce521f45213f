"""A run of nodes: everybody on loopback, the strikes carried out, and each call judged when all has settled."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp
from aiohttp import web

from bridge.local.deepgram import LocalDeepgram
from bridge.local.receiver import Receiver
from bridge.local.script import CodedRecognizers
from tests.chaos.carrier import Carrier
from tests.chaos.nodes.follower import Follower
from tests.chaos.nodes.oracle import Blow, Entry, Verdict, compare, judge
from tests.chaos.nodes.phone import Phone
from tests.chaos.nodes.plan import GRACE, NodesPlan
from tests.chaos.nodes.street import Street, Struck
from tests.chaos.record import Event, Record
from tests.chaos.run import LIMITS, SECRET
from tests.chaos.speech import Speech
from tests.chaos.spoken import Span
from tests.fakes import postgres

_LOOK = 0.5  # seconds between two looks whether all has settled
_NOTED = 15.0  # seconds for which the carrier waits until a node has noted that a stream failed
_TOKEN = "t" * 32
_LOG = "SELECT call_id, seq, body::json->>'id' FROM bridge.event ORDER BY position"


@dataclass(frozen=True, slots=True)
class Judged:
    """One call, played and judged."""

    phone: Phone
    records: Mapping[str, Sequence[Event]]
    verdict: Verdict

    @property
    def faults(self) -> list[str]:
        return [*self.phone.problems, *self.verdict.faults]


@dataclass(slots=True)
class Outcome:
    """What came of a run."""

    calls: list[Judged] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Those of no call."""
    counts: Counter[str] = field(default_factory=Counter)
    pauses: dict[str, list[float]] = field(default_factory=dict)
    """By the kind of strike: from it to the first frame of each call at another node, in seconds."""
    struck: list[Struck] = field(default_factory=list)
    away: list[float] = field(default_factory=list)
    """Seconds of each restart of the database."""
    behind: float = 0.0
    """The most that a frame went out late, in seconds: much of it means a machine that is too busy."""

    @property
    def passed(self) -> bool:
        return not self.faults and not any(call.faults for call in self.calls)


class _Exchange(Carrier):
    """The carrier's REST API, and where it sends the streams that it is asked for."""

    def __init__(self, asker: bool) -> None:
        """`asker`: a stream goes to the node that has asked for it, by its own address; else to any."""
        super().__init__()
        self.asked_by: dict[str, int] = {}
        """By call id: the node that has asked last."""
        self.street: Street | None = None
        self._asker = asker

    def serve(self, phone: Phone) -> None:
        """Have a call answer for itself."""
        call_id = phone.plan.call_id
        self.asks[call_id] = lambda tracks, given: phone.ask(tracks, given, self.asked_by.get(call_id))
        self.stops[call_id] = phone.stop

    async def _create_stream(self, request: web.Request) -> web.Response:
        host = str((await request.post())["Url"]).partition("node")[2]
        if self._asker:
            self.asked_by[request.match_info["sid"]] = int(host.partition(".")[0])
        return await super()._create_stream(request)

    def address(self, asked_by: int | None) -> int:
        assert self.street
        return self.street.balancer.port if asked_by is None else self.street.nodes[asked_by].port

    async def complain(self, call_id: str, stream_id: str, error: str) -> bool:
        assert self.street
        form = {"CallSid": call_id, "StreamSid": stream_id, "StreamEvent": "stream-error", "StreamError": error}
        url = f"http://127.0.0.1:{self.street.balancer.port}/twiml/stream-status"
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_NOTED)) as session:
                async with session.post(url, data=form) as answer:
                    return answer.status < 300
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    def node_of(self, port: int, local_port: int) -> int | None:
        assert self.street
        own = [node.number for node in self.street.nodes if node.port == port]
        return own[0] if own else self.street.balancer.node_of(local_port)


class NodesRun:
    """One plan in one folder."""

    def __init__(self, plan: NodesPlan, folder: Path, *, asker: bool, patience: float = 120.0) -> None:
        """`asker`: streams that a node asks for come to itself, not to any. `patience`: seconds for everything to
        settle after the last call."""
        self._plan, self._folder, self._asker, self._patience = plan, folder, asker, patience
        self._outcome = Outcome()

    async def run(self) -> Outcome:
        """From the first call to the last word."""
        plan = self._plan
        speech = Speech(plan.calls)
        async with LocalDeepgram(CodedRecognizers(speech.script), limits=LIMITS, remember=False) as deepgram:
            async with Receiver(SECRET) as receiver, _Exchange(self._asker) as exchange:
                environment = {
                    **exchange.settings,
                    "PUBLIC_URL": "https://node{node}.example",
                    "DEEPGRAM_URL": deepgram.url,
                    "DEEPGRAM_API_KEY": "key",
                    "TWILIO_SIGNATURE": "off",
                    "WEBHOOK_URL": receiver.url,
                    "WEBHOOK_SECRET": SECRET,
                    "BRIDGE_READ_TOKENS": _TOKEN,
                    "BRIDGE_GRACE": f"{GRACE:g}",
                    "BRIDGE_REPLAY_SPEED": "8",
                    "BRIDGE_IDLE_CONNECTIONS": "1000",
                    "BRIDGE_STOP_TIMEOUT": "10",
                }
                async with Street(self._folder, plan.nodes, environment) as street:
                    exchange.street = street
                    phones = [Phone(call, speech, exchange) for call in plan.calls]
                    for phone in phones:
                        exchange.serve(phone)
                    await self._all(phones, street, receiver)
        return self._outcome

    async def _all(self, phones: Sequence[Phone], street: Street, receiver: Receiver) -> None:
        follower = Follower(lambda node: f"http://127.0.0.1:{street.nodes[node].port}", self._plan.nodes, _TOKEN)
        following = asyncio.create_task(follower.run())
        try:
            await asyncio.wait_for(follower.connected(), 30.0)
            begun = asyncio.get_running_loop().time()
            async with asyncio.TaskGroup() as tasks:
                for phone in phones:
                    tasks.create_task(_at(begun + phone.plan.starts, phone.play))
                for strike in self._plan.strikes:
                    tasks.create_task(_at(begun + strike.at, partial(street.strike, strike)))
                for at, mode in self._plan.restarts:
                    tasks.create_task(_at(begun + at, partial(street.restart_database, mode)))
            log = await self._settle(phones, street, receiver, follower)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        self._judge(phones, street, receiver)
        self._outcome.faults += compare(log, follower.read, {n: call.events for n, call in receiver.calls.items()})
        if follower.resets:
            self._outcome.faults.append(f"the feed was told {follower.resets} times to begin again")
        self._count(phones, street, receiver, follower)

    async def _settle(
        self, phones: Sequence[Phone], street: Street, receiver: Receiver, follower: Follower
    ) -> list[Entry]:
        """Until all records are whole, and everybody has them; the log."""
        log: list[Entry] = []
        try:
            async with asyncio.timeout(self._patience):
                while True:
                    whole = all(self._complete(phone, receiver) for phone in phones) and not await street.calls()
                    # Nothing comes after that, but what is on its way.
                    log = await asyncio.to_thread(postgres.execute, _LOG, street.database_url)
                    posted = sum(len(call.events) for call in receiver.calls.values())
                    if whole and len(log) <= min(posted, len(follower.read)):
                        return log
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            self._outcome.faults.append(f"not all had settled after {self._patience:g} s")
        return log

    def _complete(self, phone: Phone, receiver: Receiver) -> bool:
        """A call may have no record: a node may be gone before anything of it is durable."""
        records = _records_of(phone, receiver)
        return all(Record(name, events).complete for name, events in records.items())

    def _judge(self, phones: Sequence[Phone], street: Street, receiver: Receiver) -> None:
        outcome = self._outcome
        for phone in phones:
            if (begun := phone.begun) is not None:
                phone.talk.blows = [Blow(s.node, s.kind, s.at - begun, s.back - begun) for s in street.struck]
                phone.talk.away = [Span(begins - begun, ends - begun) for begins, ends in street.restarts]
            records = _records_of(phone, receiver)
            outcome.calls.append(judged := Judged(phone, records, judge(phone.talk, records)))
            outcome.counts += judged.verdict.counts
            for kind, pauses in judged.verdict.pauses.items():
                outcome.pauses.setdefault(kind, []).extend(pauses)
            outcome.behind = max(outcome.behind, phone.behind)
        outcome.faults += [*street.faults, *receiver.order.violations]
        for counter in ("unverified", "malformed"):
            if receiver.counters[counter]:
                outcome.faults.append(f"{receiver.counters[counter]} deliveries were {counter}")

    def _count(self, phones: Sequence[Phone], street: Street, receiver: Receiver, follower: Follower) -> None:
        counts = self._outcome.counts
        counts["calls"] = len(phones)
        counts["streams"] = sum(len(phone.talk.lines) for phone in phones)
        counts["asked"] = sum(len(phone.asked) for phone in phones)
        counts["read"], counts["moves"] = len(follower.read), follower.moves
        counts["retried"] = len(receiver.deliveries) - len({delivery.webhook_id for delivery in receiver.deliveries})
        counts["duplicates"] = receiver.counters["duplicate"]
        self._outcome.struck = street.struck
        self._outcome.away = [ends - begins for begins, ends in street.restarts]


async def _at(moment: float, work: Callable[[], Awaitable[object]]) -> None:
    """Do it then."""
    await asyncio.sleep(moment - asyncio.get_running_loop().time())
    await work()


def _records_of(phone: Phone, receiver: Receiver) -> dict[str, Sequence[Event]]:
    """The first has the call's id, further ones a number behind it."""
    call_id = phone.plan.call_id
    return {name: call.events for name, call in receiver.calls.items() if name.partition("-")[0] == call_id}
