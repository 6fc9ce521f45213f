import pytest

from bridge.errors import StoreError
from bridge.store.sessions import FILENAME, EndedSessions


async def test_a_session_stays_ended_after_a_restart(tmp_path):
    ended = EndedSessions(tmp_path / "data", 0.0)
    assert "a" not in ended
    await ended.add("a", 100.0, 1.0)
    await ended.add("b", 200.0, 1.0)

    assert "a" in ended and "b" in ended
    later = EndedSessions(tmp_path / "data", 50.0)
    assert "a" in later and "b" in later


async def test_what_has_expired_is_forgotten(tmp_path):
    ended = EndedSessions(tmp_path, 0.0)
    await ended.add("a", 100.0, 1.0)
    await ended.add("b", 200.0, 150.0)

    assert repr(ended) == "<EndedSessions 1>"
    assert repr(EndedSessions(tmp_path, 150.0)) == "<EndedSessions 1>"
    assert (tmp_path / FILENAME).read_text() == "b 200\n"


async def test_a_line_that_was_cut_off_costs_no_other(tmp_path):
    (tmp_path / FILENAME).write_bytes(b"a 100\nb\n\xff x y\nc 10")
    ended = EndedSessions(tmp_path, 0.0)

    assert "a" in ended and "c" in ended and repr(ended) == "<EndedSessions 2>"


async def test_without_a_folder_it_is_remembered_until_the_end(tmp_path):
    ended = EndedSessions(None, 0.0)
    await ended.add("a", 100.0, 1.0)

    assert "a" in ended


async def test_a_folder_that_cannot_be_written_is_told_and_the_session_has_ended_all_the_same(tmp_path):
    ended = EndedSessions(tmp_path, 0.0)
    (tmp_path / FILENAME).mkdir()
    with pytest.raises(StoreError, match="cannot keep"):
        await ended.add("a", 100.0, 1.0)
    assert "a" in ended
    with pytest.raises(StoreError, match="cannot read"):
        EndedSessions(tmp_path, 0.0)
