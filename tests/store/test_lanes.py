"""The mirror of due lanes against a plain model of it: who may be claimed, and that nobody is forgotten."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bridge.outbox import Lane
from bridge.store.lanes import LaneRow, Lanes


def row(call_id: str = "CA1", *, due: float = 0.0, cursor: int = 0, batch_to: int = 1, **rest: object) -> LaneRow:
    values = {"attempts": 0, "rejections": 0, "first_failure": None, "skipped": (), "parked": None, **rest}
    return LaneRow("webhook", call_id, "{}", cursor, batch_to, due, **values)  # type: ignore[arg-type]


def lane(row: LaneRow, token: str) -> Lane:
    return Lane(row.endpoint, row.call_id, "{}", row.cursor, row.batch_to, 0, 0, None, (), False, token)


def claim(lanes: Lanes, now: float = 0.0, limit: int = 10, lease: float = 10.0) -> dict[str, str]:
    return {row.call_id: token for row, token in lanes.claim("webhook", limit, lease, now, fresh_first=False)}


def test_a_lane_of_another_endpoint_is_not_claimed() -> None:
    lanes = Lanes()
    lanes.put(row())
    assert lanes.claim("other", 10, 10.0, 0.0, fresh_first=False) == []
    assert (lanes.waiting("webhook"), lanes.waiting("other")) == (1, 0)


def test_no_limit_no_lane() -> None:
    lanes = Lanes()
    lanes.put(row())
    assert claim(lanes, limit=0) == {}


def test_the_newest_state_counts_whatever_is_left_in_the_queues() -> None:
    lanes = Lanes()
    for due in (0.0, 5.0, 50.0):
        lanes.put(row(due=due))
    assert claim(lanes, now=49.0) == {}
    assert list(claim(lanes, now=50.0)) == ["CA1"]


def test_a_clock_that_is_set_back_loses_no_lane() -> None:
    lanes = Lanes()
    for call in ("CA1", "CA2", "CA3"):
        lanes.put(row(call, due=100.0))
    assert list(claim(lanes, now=100.1, limit=1)) == ["CA1"]
    assert claim(lanes, now=99.9) == {}
    assert list(claim(lanes, now=100.0)) == ["CA2", "CA3"]


def test_a_lane_with_nothing_to_deliver_goes() -> None:
    lanes = Lanes()
    lanes.put(row())
    lanes.put(row(cursor=1))
    assert len(lanes) == 0 and claim(lanes) == {}
    lanes.put(row(parked="given up"))
    assert len(lanes) == 0 and claim(lanes, now=1e12) == {}


def test_a_revoked_lease_comes_back_when_it_runs_out() -> None:
    lanes = Lanes()
    lanes.put(row())
    token = claim(lanes)["CA1"]
    lanes.revoke(("webhook", "CA1"))
    assert not lanes.settling(lane(row(), token))
    assert claim(lanes, now=9.0) == {}
    assert list(claim(lanes, now=10.0)) == ["CA1"]


def test_a_lease_does_not_run_out_while_its_settlement_waits_for_the_disk() -> None:
    lanes = Lanes()
    lanes.put(row())
    held = lane(row(), claim(lanes)["CA1"])
    assert lanes.settling(held)
    assert claim(lanes, now=1000.0) == {}
    lanes.not_settled(held)

    assert list(claim(lanes, now=1000.0)) == ["CA1"]


def test_a_settlement_that_fails_gives_back_a_revoked_lease_and_no_other() -> None:
    lanes = Lanes()
    lanes.put(row())
    held = lane(row(), claim(lanes)["CA1"])
    lanes.settling(held)
    lanes.revoke(("webhook", "CA1"))
    lanes.not_settled(held)
    newer = lane(row(), claim(lanes, now=1000.0)["CA1"])
    lanes.settling(newer)
    lanes.not_settled(held)

    assert claim(lanes, now=2000.0) == {}


def test_settling_is_said_once() -> None:
    lanes = Lanes()
    lanes.put(row())
    held = lane(row(), claim(lanes)["CA1"])
    assert lanes.settling(held)
    assert not lanes.settling(held)


def test_a_forgotten_lane_has_no_holder() -> None:
    lanes = Lanes()
    lanes.put(row())
    held = lane(row(), claim(lanes)["CA1"])
    lanes.forget("CA1")
    assert lanes.settling(held) is False
    assert claim(lanes, now=1e12) == {}


CALLS = st.sampled_from(["CA1", "CA2", "CA3"])


class LanesMachine(RuleBasedStateMachine):
    """Whatever happens, a lane that is due and unleased is claimed at once, and no other."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes = Lanes()
        self.now = 0.0
        self.due: dict[str, float] = {}
        self.leases: dict[str, tuple[str, float]] = {}

    @rule(call=CALLS, wait=st.sampled_from([0.0, 3.0, 30.0]))
    def put(self, call: str, wait: float) -> None:
        due = self.now + wait if wait else 0.0
        self.lanes.put(row(call, due=due))
        self.due[call] = due
        self.leases.pop(call, None)

    @rule(call=CALLS)
    def delivered(self, call: str) -> None:
        self.lanes.put(row(call, cursor=1))
        self.due.pop(call, None)
        self.leases.pop(call, None)

    @rule(seconds=st.sampled_from([0.5, 5.0, 20.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(seconds=st.sampled_from([0.2, 4.0]))
    def clock_is_set_back(self, seconds: float) -> None:
        self.now -= seconds

    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        free = {
            call
            for call, due in self.due.items()
            if due <= self.now and (call not in self.leases or self.leases[call][1] <= self.now)
        }
        claimed = claim(self.lanes, self.now, limit)
        assert set(claimed) <= free
        assert len(claimed) == min(limit, len(free))
        tokens = {token for token, _ in self.leases.values()}
        assert not tokens & set(claimed.values())
        self.leases.update({call: (token, self.now + 10.0) for call, token in claimed.items()})

    @invariant()
    def holds_what_is_pending(self) -> None:
        assert len(self.lanes) == len(self.due)


TestLanes = LanesMachine.TestCase
TestLanes.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


@given(st.lists(CALLS, unique=True, min_size=1))
def test_first_come_first_claimed(calls: list[str]) -> None:
    lanes = Lanes()
    for call in calls:
        lanes.put(row(call))
    assert [name for _ in calls for name in claim(lanes, limit=1)] == calls
