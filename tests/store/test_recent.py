"""The memory of live calls: which interim is the newest, and how far back the tail reaches."""

from bridge.events import Event
from bridge.store.base import StoredEvent
from bridge.store.recent import TAIL, Recent
from tests.fakes import words


def recent() -> Recent:
    recent = Recent()
    recent.begin("CA1")
    return recent


def stored(first: int, last: int, call_id: str = "CA1") -> list[StoredEvent]:
    return [StoredEvent(call_id, seq, "t", "{}") for seq in range(first, last + 1)]


def shown(recent: Recent) -> list[Event]:
    return recent.interims("CA1")


def test_the_tail_knows_how_far_back_it_reaches() -> None:
    memory = recent()
    assert memory.tail("CA1", 0) is None, "nothing known is not nothing there"
    memory.keep(stored(1, TAIL), [])
    assert memory.tail("CA1", 0) == stored(1, TAIL)
    assert (memory.newest("CA1"), memory.newest("CA2")) == (TAIL, None)
    memory.keep(stored(TAIL + 1, TAIL + 3), [])
    assert memory.tail("CA1", 2) is None
    assert memory.tail("CA1", 3) == stored(4, TAIL + 3)
    assert memory.tail("CA1", TAIL + 3) == []
    assert memory.tail("CA2", 0) is None


def test_a_tail_that_began_in_the_middle() -> None:
    memory = recent()  # the call was open when the store was opened
    memory.keep(stored(7, 8), [])
    assert memory.tail("CA1", 5) is None
    assert memory.tail("CA1", 6) == stored(7, 8)


def test_a_newer_revision_replaces_an_older_one_does_not() -> None:
    memory = recent()
    assert memory.put_interim(words.interim(revision=1))
    assert memory.put_interim(newest := words.interim(revision=3))
    assert memory.put_interim(words.interim(revision=3)) is False
    assert memory.put_interim(words.interim(revision=2)) is False
    assert shown(memory) == [newest]


def test_the_next_segment_replaces_whatever_its_revision() -> None:
    memory = recent()
    memory.put_interim(words.interim(segment_id="a", revision=9))
    assert memory.put_interim(following := words.interim(segment_id="b", revision=1))
    assert shown(memory) == [following]


def test_a_final_takes_its_own_interim_and_no_other() -> None:
    memory = recent()
    memory.put_interim(words.interim(segment_id="b"))
    memory.put_interim(other := words.interim(segment_id="c", track="outbound"))
    memory.keep([], [words.final(segment_id="a")])
    assert len(shown(memory)) == 2
    memory.keep([], [words.final(segment_id="b")])
    assert shown(memory) == [other]


def test_what_becomes_of_a_turn_stands_beside_its_words_and_goes_with_its_final() -> None:
    memory = recent()
    memory.put_interim(said := words.interim(segment_id="a"))
    assert memory.put_interim(early := words.eager_end(segment_id="a"))
    assert shown(memory) == [said, early]
    assert memory.put_interim(resumed := words.turn_resumed(segment_id="a"))
    assert shown(memory) == [said, resumed]
    memory.keep([], [words.final(segment_id="a")])
    assert shown(memory) == []


def test_the_start_of_speech_stands_until_there_are_words() -> None:
    memory = recent()
    assert memory.put_interim(begun := words.speech(at=2.0))
    assert shown(memory) == [begun]
    assert memory.put_interim(said := words.interim(start=2.0))
    assert memory.put_interim(words.speech(at=2.5)) is False
    assert shown(memory) == [said]


def test_a_final_ends_the_speech_that_began_before_it() -> None:
    memory = recent()
    memory.put_interim(words.speech(at=2.0))
    memory.keep([], [words.final(start=0.9)])  # ends at 1.9
    assert len(shown(memory)) == 1
    memory.keep([], [words.final(start=1.0)])
    assert shown(memory) == []


def test_a_call_that_is_not_going_on_keeps_nothing() -> None:
    memory = recent()
    memory.put_interim(words.interim())
    memory.end("CA1")
    assert "CA1" not in memory and len(memory) == 0
    assert shown(memory) == []
    assert memory.put_interim(words.interim()) is False
    memory.keep(stored(1, 2), [words.final()])
    assert memory.tail("CA1", 0) is None


def test_a_durable_event_is_no_interim() -> None:
    assert not recent().put_interim(words.final())
