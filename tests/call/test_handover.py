"""Records as files: whole or not there, and completed where their writer is gone."""

import json

import pytest

from bridge.call import handover, imported
from bridge.call.handover import Journal, Terms
from bridge.call.imported import Parties
from bridge.errors import RemoteProtocolError
from bridge.events import MediaFormat
from tests.fakes.words import STARTED_AT, final
from tests.store.test_audio import small_files

ID = "stream-1"
STARTED = imported.started(
    ID, "stream", Parties(), MediaFormat(encoding="pcm", sample_rate=16_000, channels=1), STARTED_AT, {}
)
FINAL = final(ID, 2, end=3.5)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def written(events):
    return [event.to_json() for event in events]


def whole():
    end = imported.ending(STARTED, [FINAL.data], 4.0, call_id=ID)
    return imported.numbered(ID, [STARTED, FINAL.data, end], STARTED_AT)


def begun(at):
    """The first event of a call that began then."""
    return imported.numbered(ID, [STARTED.model_copy(update={"started_at": at})], STARTED_AT)[0].to_json()


def test_a_record_is_read_as_it_was_handed_over(tmp_path):
    handover.hand_over(tmp_path / "imports", whole(), Terms(deliver=True))

    assert names(tmp_path / "imports") == [f"{ID}.jsonl"]
    terms, events = handover.read(tmp_path / "imports" / f"{ID}.jsonl")
    assert (terms.deliver, written(events)) == (True, written(whole()))


def test_a_journal_becomes_a_record_at_its_end(tmp_path):
    journal = Journal(tmp_path, STARTED, Terms(), STARTED_AT)
    journal.add(FINAL)
    assert names(tmp_path) == [f"{ID}.part"]
    assert not handover.complete(tmp_path / f"{ID}.part", STARTED_AT), "its writer is at work"
    journal.end(4.0, STARTED_AT)

    assert names(tmp_path) == [f"{ID}.jsonl"]
    _, events = handover.read(tmp_path / f"{ID}.jsonl")
    assert [event.type for event in events] == ["call.started", "transcript.final", "call.ended"]
    assert (events[-1].data.reason, events[-1].data.duration) == ("stopped", 4.0)


def test_a_journal_of_nothing_leaves_nothing(tmp_path):
    Journal(tmp_path, STARTED, Terms(), STARTED_AT).drop()
    assert names(tmp_path) == []


def test_what_a_writer_has_left_is_completed_but_for_its_last_half_line(tmp_path):
    lines = [json.dumps({"deliver": False}), *(event.to_json() for event in whole()[:2])]
    part = tmp_path / f"{ID}.part"
    part.write_text("\n".join(lines) + '\n{"seq":3,"id":"stre')

    assert handover.complete(part, STARTED_AT)
    assert names(tmp_path) == [f"{ID}.jsonl"]
    _, events = handover.read(tmp_path / f"{ID}.jsonl")
    assert written(events[:2]) == written(whole()[:2])
    assert (events[2].seq, events[2].data.reason, events[2].data.flush) == (3, "bridge_restarted", "timed_out")
    assert events[2].data.duration == 3.5


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([""], "terms"),
        (["[]"], "terms"),
        (["{}"], "begins with call.started"),
        (["{}", "no"], "no record"),
        (["{}", "{}"], "no record"),
        (["{}", whole()[1].to_json()], "begins with call.started"),
        (["{}", whole()[0].to_json()], "ends with call.ended"),
        (["{}", whole()[0].to_json(), whole()[2].to_json()], "numbered"),
        (["{}", whole()[0].to_json().replace('"stream"', '"twilio"')], "only what is imported"),
        (["{}", whole()[0].to_json().replace(f'"{ID}"', '"CA1"')], "only what is imported"),
        (["[" * 100_000], "terms"),
        (["{}", whole()[0].to_json().replace('"from":null', '"from":"\\ud800"')], "no record"),
        (["{}", begun("once upon a time")], "when it began"),
        (["{}", begun("0001-01-01T00:00:00")], "when it began"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path, lines, reason):
    path = tmp_path / f"{ID}.jsonl"
    path.write_text("\n".join(lines) + "\n")

    with pytest.raises(RemoteProtocolError, match=reason):
        handover.read(path)


def test_what_is_left_of_a_time_that_there_is_not_is_refused(tmp_path):
    part = tmp_path / f"{ID}.part"
    began = STARTED.model_copy(update={"started_at": "9999-12-31T23:59:59.000Z"})
    part.write_text("\n".join(["{}", *written(imported.numbered(ID, [began, FINAL.data], STARTED_AT))]) + "\n")
    with pytest.raises(RemoteProtocolError, match="a time that there is"):
        handover.complete(part, STARTED_AT)


def test_a_record_takes_the_place_of_one_that_was_refused(tmp_path):
    (tmp_path / f"{ID}.refused").write_text("of an older writer")
    handover.hand_over(tmp_path, whole(), Terms())
    assert names(tmp_path) == [f"{ID}.jsonl"]


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    with small_files(1), pytest.raises(OSError, match="too large"):
        handover.put(tmp_path / "a.ask", "[]")
    assert names(tmp_path) == []


def test_a_question_is_answered_once(tmp_path):
    handover.ask(tmp_path, "q", ["a", "b"])
    assert json.loads((tmp_path / "q.ask").read_text()) == ["a", "b"]
    assert handover.answered(tmp_path, "q") is None
    handover.put(tmp_path / "q.known", '["b"]')

    assert handover.answered(tmp_path, "q") == {"b"}
    assert handover.answered(tmp_path, "q") is None
