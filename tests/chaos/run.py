"""A run: everybody on loopback, the scenario carried out, and each call judged when all has settled."""

import asyncio
import contextlib
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from pathlib import Path
from statistics import median

from bridge.delivery.signing import format_secret
from bridge.local.deepgram import Limits, LocalDeepgram
from bridge.local.receiver import Receiver
from bridge.local.script import CodedRecognizers
from tests.chaos.carrier import Carrier
from tests.chaos.house import House
from tests.chaos.oracle import judge
from tests.chaos.player import Player
from tests.chaos.record import Event, Record
from tests.chaos.scenario import Scenario
from tests.chaos.speech import Speech
from tests.chaos.spoken import Leg, Spoken
from tests.chaos.strangers import STRANGE, Strangers
from tests.chaos.weather import Weather

SECRET = format_secret(bytes(range(32)))

LIMITS = Limits(speed=1000.0)  # a scenario may say that audio goes out faster than Deepgram takes it
_LOOK = 0.25  # seconds between two looks whether all has settled


@dataclass(slots=True)
class Judged:
    """One call, played and judged."""

    player: Player
    records: Mapping[str, Sequence[Event]]
    faults: list[str]

    @property
    def spoken(self) -> Spoken:
        return self.player.spoken


@dataclass(frozen=True, slots=True)
class Restarted:
    """What a restart by SIGTERM took, in seconds."""

    stopping: float
    """From SIGTERM to the end of the process."""
    starting: float
    """From the start to the first connection."""
    asking: float
    """From then until the last of the calls' streams was asked for."""
    first_frame: float
    """From then until the last of the calls had a frame again."""
    not_heard: tuple[float, ...]
    """Of each call, as it tells of its gap."""


@dataclass(slots=True)
class Outcome:
    """What came of a run."""

    calls: list[Judged] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Those of no call."""
    counts: Counter[str] = field(default_factory=Counter)
    restarts: list[Restarted] = field(default_factory=list)
    behind: float = 0.0
    """The most that a frame went out late, in seconds: much of it means a machine that is too busy."""
    lag: float = 0.0
    """The longest that the bridge took to answer when it was killed, in seconds; means the same."""
    slowest: float = 0.0
    """The longest that it took to answer at any time while calls went on."""
    handing: list[float] = field(default_factory=list)
    """From the SIGTERM of each process that handed its calls over to its end, in seconds."""
    off: list[float] = field(default_factory=list)
    """By how much each word's start is off the place that most words of its call and track have, in seconds."""
    strangers: Counter[str] = field(default_factory=Counter)
    """What strangers have tried."""
    delays: list[float] = field(default_factory=list)
    """From an event to its arrival at the webhook, in seconds, of all live finals."""

    @property
    def passed(self) -> bool:
        return not self.faults and not any(call.faults for call in self.calls)


class Run:
    """One scenario in one folder."""

    house = House

    def __init__(self, scenario: Scenario, folder: Path, patience: float = 180.0) -> None:
        """`patience`: seconds for everything to settle after the last call."""
        self._scenario = scenario
        self._folder = folder
        self._patience = patience
        self._outcome = Outcome()

    async def run(self) -> Outcome:
        """From the first call to the last word."""
        speech = Speech(self._scenario.calls)
        async with LocalDeepgram(CodedRecognizers(speech.script), limits=LIMITS, remember=False) as deepgram:
            async with Receiver(SECRET) as receiver, Carrier() as carrier:
                weather = Weather(self._scenario, deepgram, receiver)
                environment = {
                    "DEEPGRAM_URL": deepgram.url,
                    "DEEPGRAM_API_KEY": "key",
                    "TWILIO_SIGNATURE": "off",
                    "WEBHOOK_URL": receiver.url,
                    "WEBHOOK_SECRET": SECRET,
                    **self._scenario.settings,
                    **carrier.settings,
                }
                async with self.house(self._folder, environment) as house:
                    players = [Player(plan, speech, house) for plan in self._scenario.calls]
                    carrier.asks = {player.plan.call_id: player.ask for player in players}
                    carrier.stops = {player.plan.call_id: player.stop for player in players}
                    async with contextlib.AsyncExitStack() as beside:
                        if idle := self._scenario.strangers:
                            strangers = Strangers(house.port, idle, self._scenario.seed)
                            self._outcome.strangers = (await beside.enter_async_context(strangers)).counts
                        await self._live(players, house, weather)
                        self._outcome.slowest = house.slowest
                    await self._settle(players, house, receiver)
                    self._judge(players, receiver)
                    self._count(players, house, weather, receiver)
        return self._outcome

    # What happens.

    async def _live(self, players: Sequence[Player], house: House, weather: Weather) -> None:
        begun = asyncio.get_running_loop().time()

        async def until(moment: float) -> None:
            await asyncio.sleep(begun + moment - self._scenario.begins - asyncio.get_running_loop().time())

        async def play(player: Player) -> None:
            await until(player.plan.starts)
            await player.play()

        async def strike() -> None:
            kills = [(moment, house.kill) for moment in self._scenario.kills]
            strikes = [*kills, *((moment, None) for moment in self._scenario.restarts)]
            for moment in self._scenario.hand_overs:  # in a run of their own
                await until(moment)
                if status := await house.hand_over():
                    self._outcome.faults.append(f"the bridge ended with {status} when it handed its calls over")
            for moment, kill in sorted(strikes, key=lambda strike: strike[0]):
                await until(moment)
                if kill:
                    await kill()
                    await house.start()
                elif status := await house.restart():
                    self._outcome.faults.append(f"the bridge ended with {status} at a restart")
            await until(self._scenario.stops)
            await self._stop(house)

        async def fill() -> None:
            for begins, ends in self._scenario.full:
                await until(begins)
                await house.wait_up()  # nothing starts on a full disk
                house.fill_disk()
                await until(ends)
                house.empty_disk()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(weather.blow(until))
            tasks.create_task(strike())
            tasks.create_task(fill())
            for player in players:
                tasks.create_task(play(player))

    async def _stop(self, house: House) -> None:
        status = await house.stop()
        if status != 0:
            self._outcome.faults.append(f"the bridge ended with {status} after SIGTERM")

    async def _settle(self, players: Sequence[Player], house: House, receiver: Receiver) -> None:
        """Start it once more, and wait for what it still has to do and to deliver."""
        await house.start()
        try:
            async with asyncio.timeout(self._patience):
                # Nobody there could set an event.
                while not all(self._complete(player, receiver) for player in players):  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            self._outcome.faults.append(f"not all had settled after {self._patience:g} s")
        await self._stop(house)

    def _complete(self, player: Player, receiver: Receiver) -> bool:
        records = records_of(player, receiver)
        return (bool(records) or all(map(_traceless, player.spoken.legs))) and all(
            Record(name, events).complete for name, events in records.items()
        )

    # What came of it.

    def _judge(self, players: Sequence[Player], receiver: Receiver) -> None:
        outcome = self._outcome
        for player in players:
            player.spoken.keeps = self._scenario.settings.get("BRIDGE_STOP") != "end"
            player.remember()
            records = records_of(player, receiver)
            verdict = judge(player.spoken, records)
            outcome.counts += verdict.counts
            outcome.calls.append(Judged(player, records, [*player.problems, *verdict.faults]))
            outcome.behind = max(outcome.behind, player.behind)
        outcome.faults += receiver.order.violations
        for counter in ("unverified", "malformed"):
            if receiver.counters[counter]:
                outcome.faults.append(f"{receiver.counters[counter]} deliveries were {counter}")
        outcome.faults += self._undelivered(receiver)

    def _undelivered(self, receiver: Receiver) -> list[str]:
        """What is in the log, but not at the webhook, and audio that nobody needs any more."""
        with closing(sqlite3.connect(f"file:{self._folder}/data/bridge.db?mode=ro", uri=True)) as log:
            kept = log.execute("SELECT call_id, max(seq) FROM event GROUP BY call_id").fetchall()
        faults = [
            f"record {name} has {tip} events, {len(receiver.events(name))} were delivered"
            for name, tip in kept
            if len(receiver.events(name)) != tip
        ]
        # Calls of strangers may still wait for their streams.
        names = (path.name for path in (self._folder / "data" / "audio").glob("*"))
        left = sorted(name for name in names if not name.endswith(STRANGE))
        return faults + ([f"audio was left of {', '.join(left)}"] if left else [])

    def _count(self, players: Sequence[Player], house: House, weather: Weather, receiver: Receiver) -> None:
        counts = self._outcome.counts
        counts["calls"] = len(players)
        counts["streams"] = sum(len(player.spoken.legs) for player in players)
        counts["kills"] = len(house.kills)
        counts["restarts"] = len(house.restarts)
        counts["hand_overs"] = len(house.hand_overs)
        counts["full"] = len(house.full)
        self._outcome.handing = [done.exited - done.begun for done in house.hand_overs]
        self._outcome.off = list(_off(players, receiver))
        counts["asked"] = sum(len(player.asked) for player in players)
        counts["drops"] = sum(player.drops for player in players)
        counts["refusals"] = weather.live.refused
        counts["cuts"] = weather.cuts
        self._outcome.delays = list(_delays(receiver))
        self._outcome.restarts = list(self._restarts(players, house, receiver))
        self._outcome.lag = max((house.lag(kill) for kill in house.kills), default=0.0)
        counts["retried"] = len(receiver.deliveries) - len({delivery.webhook_id for delivery in receiver.deliveries})
        counts["duplicates"] = receiver.counters["duplicate"]

    def _restarts(self, players: Sequence[Player], house: House, receiver: Receiver) -> Iterator[Restarted]:
        """Each restart, with the gaps that calls tell of it."""
        gaps: dict[int, list[float]] = {place: [] for place in range(max(1, len(house.restarts)))}
        for player in players:
            if player.begun is None:
                continue
            events = [event for events in records_of(player, receiver).values() for event in events]
            for gap in [event["data"] for event in events if event["type"] == "audio.gap"]:
                if gap["why"] == "bridge_restarted" and gap["track"] == "inbound":
                    until = player.begun + gap["to"]
                    place = max((n for n, one in enumerate(house.restarts) if one.begun < until), default=0)
                    gaps[place].append(gap["missing"])
        ends = [*(restart.begun for restart in house.restarts[1:]), inf]
        for place, (restart, until) in enumerate(zip(house.restarts, ends, strict=False)):
            asked = [t for player in players for t in player.asked if restart.exited < t < until]
            frames = [t for player in players for t in player.answered if restart.exited < t < until]
            yield Restarted(
                restart.exited - restart.begun,
                restart.listening - restart.exited,
                max(asked, default=restart.listening) - restart.listening,
                max(frames, default=restart.listening) - restart.listening,
                tuple(gaps[place]),
            )


def _delays(receiver: Receiver) -> Iterator[float]:
    """Of each live final from its time to the first delivery that was accepted."""
    wall = time.time() - asyncio.get_running_loop().time()
    arrived: dict[tuple[str, int], float] = {}
    for delivery in receiver.deliveries:
        if delivery.status // 100 == 2:
            for seq in delivery.seqs:
                arrived.setdefault((delivery.call_id, seq), delivery.at + wall)
    for name, call in receiver.calls.items():
        for event in call.events:
            at = arrived.get((name, event["seq"]))
            if at and event["type"] == "transcript.final" and event["data"]["source"] == "live":
                yield at - datetime.fromisoformat(event["time"]).timestamp()


def _off(players: Sequence[Player], receiver: Receiver) -> Iterator[float]:
    """Of each word that was told."""
    for player in players:
        said = {word.name: word for word in player.spoken.words}
        finals = [
            event["data"]
            for events in records_of(player, receiver).values()
            for event in events
            if event["type"] == "transcript.final"
        ]
        for channel in range(2):
            words = [word for final in finals if final["channel"] == channel for word in final["words"]]
            off = [word["start"] - said[word["word"]].start for word in words if word["word"] in said]
            if off:
                usual = median(off)
                yield from (abs(one - usual) for one in off)


def _traceless(leg: Leg) -> bool:
    """Whether a stream need not have opened a record: a bridge that was about to stop, or was killed, had it only for a
    moment."""
    return leg.cause in ("closed", "killed") and leg.end - leg.start < 1.0


def records_of(player: Player, receiver: Receiver) -> dict[str, Sequence[Event]]:
    """The records of a call: the first has its id, further ones a number behind it."""
    call_id = player.plan.call_id
    return {name: call.events for name, call in receiver.calls.items() if name.partition("-")[0] == call_id}
