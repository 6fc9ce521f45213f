"""Which record a stream begins where several processes have one record; what one process alone does is the registry's
test."""

import pytest

from bridge.call import CallRefused, CallRegistry
from bridge.call.beginnings import DIRECTLY, Beginnings, Coming, KeptElsewhere, NotHere
from bridge.clock import SystemClock
from bridge.store.relaying import Keeper
from tests.fakes import words
from tests.fakes.calls import services, started

OTHER = Keeper("other", "http://10.0.0.5:8080", "key")
HIDDEN = Keeper("hidden", None, "")


class MemoryKeepers:
    """What the rows say, said by the test."""

    key = "own"

    def __init__(self, had=(), begun=()):
        self.had = dict(had)
        """Calls of other processes."""
        self.begun = dict(begun)
        """Records that others begin."""
        self.begins = []

    async def find(self, call_id):
        return self.had.get(call_id)

    async def begin(self, record_id):
        self.begins.append(record_id)
        return self.begun.get(record_id)


@pytest.fixture
def given(store, server, clock):
    return services(store, server, clock, grace=30.0)


async def chosen(given, keepers, coming=DIRECTLY):
    new = await Beginnings(given, keepers).choose(started(), given.clock.wall(), coming, waited=False)
    return new.record_id, new.before


async def test_a_process_that_is_alone_asks_no_other(given):
    await Beginnings(given, None).look_elsewhere(started("CA1"), DIRECTLY)
    assert await chosen(given, None) == ("CA1", None)


async def test_a_stream_of_another_processes_call_is_that_ones(given, clock):
    keepers = MemoryKeepers(had={"CA1": OTHER})
    with pytest.raises(KeptElsewhere) as elsewhere:
        await Beginnings(given, keepers).look_elsewhere(started("CA1"), DIRECTLY)
    assert (elsewhere.value.keeper, elsewhere.value.since) == (OTHER, clock.time)
    await Beginnings(given, keepers).look_elsewhere(started("CA2"), DIRECTLY)
    await Beginnings(given, keepers).look_elsewhere(started("CA1"), DIRECTLY, again=False)
    await Beginnings(given, keepers).look_elsewhere(started("CA1"), Coming(passed_over=frozenset({"other"})))


async def test_a_stream_that_comes_back_is_here_since_it_first_came(given):
    keepers = MemoryKeepers(had={"CA1": OTHER})
    with pytest.raises(KeptElsewhere) as elsewhere:
        await Beginnings(given, keepers).look_elsewhere(started("CA1"), Coming(since=12.5))
    assert elsewhere.value.since == 12.5


async def test_a_relayed_stream_is_relayed_no_farther_and_begins_nothing(given):
    with pytest.raises(NotHere):
        await Beginnings(given, MemoryKeepers(had={"CA1": OTHER})).look_elsewhere(started("CA1"), Coming(relayed=True))


async def test_of_two_that_begin_a_record_one_does(given):
    with pytest.raises(KeptElsewhere) as elsewhere:
        await chosen(given, MemoryKeepers(begun={"CA1": OTHER}))
    assert elsewhere.value.keeper == OTHER
    assert await chosen(given, MemoryKeepers(begun={"CA2": OTHER})) == ("CA1", None)


@pytest.mark.parametrize(
    ("begun", "passed_over"), [(OTHER, {"other"}), (HIDDEN, set())], ids=["passed over", "cannot be reached"]
)
async def test_where_the_other_one_does_not_take_it_a_stream_has_a_further_record(given, begun, passed_over):
    keepers = MemoryKeepers(begun={"CA1": begun})
    assert await chosen(given, keepers, Coming(passed_over=frozenset(passed_over))) == ("CA1--2", "CA1")
    assert keepers.begins == ["CA1", "CA1--2"]


async def test_a_call_that_ended_where_its_stream_was_relayed_to_has_no_further_record(given, store):
    await store.append([words.started(), words.ended(seq=2)])
    (row,) = await store.calls()
    with pytest.raises(CallRefused, match="ended at the process that heard it"):
        await chosen(given, None, Coming(since=row.ended_at - 1.0))
    assert await chosen(given, None, Coming(since=row.ended_at + 1.0)) == ("CA1--2", "CA1")


async def test_a_registry_takes_relayed_streams_of_the_calls_that_have_one_here(given, store, server):
    given = services(store, server, SystemClock(), grace=30.0)
    registry = CallRegistry(given, max_calls=1, keepers=MemoryKeepers(had={"CA2": OTHER}))
    await registry.recover()
    assert not registry.takes("CA1")
    with pytest.raises(KeptElsewhere):
        await registry.open(started("CA2"))
    with pytest.raises(NotHere):
        await registry.open(started("CA1"), Coming(relayed=True))
    stream = await registry.open(started("CA1"))
    assert registry.takes("CA1")
    await registry.open(started("CA1", "MZ2"), Coming(relayed=True))
    registry.taking = False
    assert not registry.takes("CA1")
    registry.taking = True
    (call,) = registry.calls.values()
    for each in list(call.streams.values()):
        each.end("carrier_disconnected")
    assert stream.is_over and call.continuity.waiting
    assert not registry.takes("CA1"), "it lets go of it to the process that has one"
    await registry.end_all(10.0)
    assert registry.counters["opened"] == 1
