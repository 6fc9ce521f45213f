"""What is streamed, as a record on its way."""

import pytest

from bridge.audio import AudioFormat
from bridge.call import handover
from bridge.call.imported import Parties
from bridge.cli.recorded import Recorder
from bridge.cli.sources import Source
from bridge.errors import StoreError
from bridge.events import Request
from tests.call.test_handover import names
from tests.fakes.words import STARTED_AT, final, interim
from tests.store.test_audio import small_files

SOURCE = Source(AudioFormat("linear16", 16_000, 1), None, True, lambda: iter(()), "mp3", 44_100)
SOCKET = Request(request_id="r1", model="nova-3", version=None, start=0.0)


def recorder(tmp_path, *, keep=False):
    return Recorder(tmp_path, SOURCE, Parties(), None, keep=keep)


def test_events_and_audio_are_handed_over_at_the_end(tmp_path):
    recorded = recorder(tmp_path, keep=True)
    recorded.hear(bytes(3200))
    recorded.receive(interim(recorded.call_id))
    recorded.receive(final(recorded.call_id, 2))
    recorded.end(0.1, [SOCKET], refused=False)

    assert recorded.ended
    assert names(tmp_path / "imports") == [f"{recorded.call_id}.jsonl", f"{recorded.call_id}.ulaw"]
    _, events = handover.read(tmp_path / "imports" / f"{recorded.call_id}.jsonl")
    assert [event.type for event in events] == ["call.started", "transcript.final", "call.ended"]
    assert events[0].data.media_format.encoding == "mp3"
    assert events[-1].data.requests == [SOCKET]
    assert (tmp_path / "imports" / f"{recorded.call_id}.ulaw").read_bytes() == b"\xff" * 1600


@pytest.mark.parametrize("heard", [True, False])
def test_what_is_refused_leaves_only_what_was_heard(tmp_path, heard):
    recorded = recorder(tmp_path, keep=True)
    if heard:
        recorded.receive(final(recorded.call_id, 2))
    recorded.end(0.1, [], refused=True)

    assert recorded.ended == heard
    assert len(names(tmp_path / "imports")) == (2 if heard else 0)


def test_a_folder_that_cannot_be_used_is_said(tmp_path):
    (tmp_path / "imports").write_text("a file")
    with pytest.raises(StoreError, match="cannot write in"):
        recorder(tmp_path)


def test_what_is_not_whole_is_said_and_stays_for_the_bridge(tmp_path):
    recorded = recorder(tmp_path)
    recorded.receive(final(recorded.call_id, 2))
    (tmp_path / "imports" / f"{recorded.call_id}.jsonl").mkdir()  # nothing can take that name
    with pytest.raises(StoreError, match="not all of it is recorded: Is a directory"):
        recorded.end(0.1, [], refused=False)

    assert not recorded.ended
    assert (tmp_path / "imports" / f"{recorded.call_id}.part").exists()


def test_a_disk_that_takes_no_more_is_said_and_what_it_took_stays(tmp_path):
    recorded = recorder(tmp_path, keep=True)
    with small_files(700):
        for seq in range(2, 5):
            recorded.receive(final(recorded.call_id, seq))
            recorded.hear(bytes(100_000))
        with pytest.raises(StoreError, match="not all of it is recorded: File too large"):
            recorded.end(0.1, [], refused=False)

    part = tmp_path / "imports" / f"{recorded.call_id}.part"
    assert not recorded.ended and handover.complete(part, STARTED_AT)
