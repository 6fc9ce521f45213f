"""What is written to the object store of a call's files; deleted there is only what is known to be needless."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.store.archive.plan import Plan, is_audio, may_bring, may_touch, plan
from bridge.store.base import Whose

LOCAL = {"000000000000.ulaw": 1600, "000000000800.ulaw": 1600, "000000001600.ulaw": 400, "call.json": 20}


def test_everything_goes_there_in_order_and_the_note_last():
    assert plan(LOCAL, {}) == Plan(list(LOCAL), [])


def test_what_is_there_is_not_written_again():
    assert plan(LOCAL, LOCAL) == Plan([], [])


def test_what_is_there_in_part_is():
    there = LOCAL | {"000000001600.ulaw": 200}

    assert plan(LOCAL, there) == Plan(["000000001600.ulaw", "call.json"], [])


def test_a_file_that_grows_waits():
    assert plan(LOCAL, {}, grows=True).put == ["000000000000.ulaw", "000000000800.ulaw", "call.json"]


def test_a_note_alone_waits_as_long_as_the_call_goes_on():
    alone = {"call.json": 20}

    assert plan(alone, {}, grows=True) == Plan([], [])
    assert plan(alone, {}) == Plan(["call.json"], [])


@pytest.mark.parametrize(("settled", "first"), [(799, 0), (800, 1), (1600, 2), (1800, 3)])
def test_what_is_settled_need_not_be_there(settled, first):
    assert plan(LOCAL, {}, settled=settled).put[:-1] == list(LOCAL)[first:-1]


def test_what_was_deleted_here_because_it_was_settled_goes_there_too():
    local = {"000000000800.dropped": 0, "000000000800.ulaw": 1600, "call.json": 20}
    there = {"000000000400.dropped": 0, **LOCAL}

    wanted = ["000000000000.ulaw", "000000000400.dropped"]
    assert plan(local, there) == Plan(["000000000800.dropped", "call.json"], wanted)


def test_what_another_process_has_put_there_stays():
    assert plan({"000000000000.ulaw": 1600}, LOCAL) == Plan([], [])


def test_of_a_call_that_needs_none_all_goes():
    assert plan({}, LOCAL, gone=True) == Plan([], sorted(LOCAL))


@pytest.mark.parametrize("name", ["../x", "x/000000000000.ulaw", "000000000000.ulaw\n", "call.json.new", "1.ulaw", ""])
def test_other_files_are_none_of_it(name):
    assert not is_audio(name)


NAMES = st.dictionaries(st.sampled_from([f"{n:012d}.ulaw" for n in range(0, 4000, 800)]), st.integers(2, 1600))


@given(NAMES, NAMES, st.integers(0, 4000), st.booleans())
def test_done_once_it_is_done(local, there, settled, grows):
    todo = plan(local, there, settled=settled, grows=grows)
    after = {**{name: size for name, size in there.items() if name not in todo.remove}}
    after |= {name: local[name] for name in todo.put}

    assert plan(local, after, settled=settled, grows=grows) == Plan([], [])


@pytest.mark.parametrize(
    ("whose", "brings", "touches", "touches_gone"),
    [
        (Whose.OURS, True, True, True),
        (Whose.NO_ONES, True, True, False),
        (Whose.OTHERS, False, False, False),
        (Whose.UNKNOWN, False, False, True),
    ],
)
def test_whose_objects_may_be_changed(whose, brings, touches, touches_gone):
    assert may_bring(whose) is brings
    assert (may_touch(whose, gone=False), may_touch(whose, gone=True)) == (touches, touches_gone)
