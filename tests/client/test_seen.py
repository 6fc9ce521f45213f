"""Each event once: over repeats, failures, restarts, gaps, and a bridge that is asked to deliver again."""

import shelve

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.client import seen as module
from bridge.client.deliveries import Delivery
from bridge.client.received import Call, Event, Unknown
from bridge.client.seen import Seen, SeenFile, SeenHere


def delivery(*seqs: int | None, call: str = "CA1", skipped: tuple[int, ...] = ()) -> Delivery:
    events = tuple(Event(call, seq, f"{call}-{seq}", "x", "", Unknown(), {}) for seq in seqs)
    return Delivery("", Call(id=call), events, skipped)


def handled(seen: Seen, *seqs: int | None, **how) -> list[int | None]:
    return [event.seq for event in seen.new(delivery(*seqs, **how))]


def test_what_comes_again_is_put_aside():
    seen = Seen()
    assert handled(seen, 1, 2) == [1, 2]
    assert handled(seen, 1, 2, 3) == [3]
    assert handled(seen, 1, call="CA2") == [1]


def test_what_has_no_number_is_always_new():
    assert handled(Seen(), None, None) == [None, None]


def test_what_failed_is_new_again():
    seen, done = Seen(), []
    with pytest.raises(ValueError):
        for event in seen.new(delivery(1, 2, 3)):
            if event.seq == 2:
                raise ValueError
            done.append(event.seq)
    assert done == [1]
    assert handled(seen, 1, 2, 3) == [2, 3]


def test_what_was_given_up_is_new_when_it_comes_after_all():
    seen = Seen()
    assert handled(seen, 1) == [1]
    assert handled(seen, 4, skipped=(2, 3)) == [4]
    assert handled(seen, 4, skipped=(2, 3)) == []
    assert handled(seen, 1, 2, 3, 4) == [2, 3]
    assert handled(seen, 1, 2, 3, 4, skipped=(2, 3)) == []


def test_to_handle_again_what_was_handled():
    seen = Seen()
    handled(seen, 1, 2, 3, 4)
    seen.rewind("CA1", after=2)
    assert handled(seen, 1, 2, 3, 4) == [3, 4]
    seen.rewind("CA1")
    assert handled(seen, 1, 2, 3, 4) == [1, 2, 3, 4]


def test_a_file_outlives_its_process(tmp_path):
    store = SeenFile(tmp_path / "seen.db")
    handled(Seen(store), 1, 2, 4, skipped=(3,))
    store.close()
    again = SeenFile(tmp_path / "seen.db")
    assert handled(Seen(again), 1, 2, 3, 4, 5) == [3, 5]
    again.close()


def test_a_shelf_is_a_store_too(tmp_path):
    with shelve.open(str(tmp_path / "seen")) as shelf:
        assert handled(Seen(shelf), 1, 2) == [1, 2]
    with shelve.open(str(tmp_path / "seen")) as shelf:
        assert handled(Seen(shelf), 1, 2, 3) == [3]


def test_the_oldest_calls_are_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 2)
    here, there = SeenHere(), SeenFile(tmp_path / "seen.db")
    for store in (here, there):
        for call in ("CA1", "CA2", "CA3"):
            handled(Seen(store), 1, call=call)
    there.close()
    there = SeenFile(tmp_path / "seen.db")
    for store in (here, there):
        assert [store.get(call) for call in ("CA1", "CA2", "CA3")] == [None, "1", "1"]
    there.close()


@given(st.lists(st.integers(1, 8), min_size=1), st.sets(st.integers(1, 8)))
def test_every_event_once_however_often_and_in_whichever_batches(cuts, given_up):
    """The bridge posts 1 to 8, from a place that it has posted before or the next one; some are given up at first."""
    seen, done, reached = Seen(), [], 0
    for start in [1, *cuts, 9]:
        batch = range(min(start, reached + 1), 9)
        kept = [seq for seq in batch if seq not in given_up]
        done += handled(seen, *kept, skipped=tuple(seq for seq in batch if seq in given_up))
        reached = 8
    done += handled(seen, *range(1, 9))
    assert sorted(done) == list(range(1, 9))
