"""The record of a recording: its parties, and what is left of the log of its transcription."""

import pytest

from bridge.call import imported
from bridge.call.imported import Parties
from bridge.events import AudioGap, CallEnded, MediaFormat, TranscriptFinal, TranscriptionBackfilled
from tests.fakes.words import STARTED_AT, transcript

FORMAT = MediaFormat(encoding="mp3", sample_rate=44_100, channels=2)


@pytest.mark.parametrize(
    ("parties", "channels", "speakers"),
    [
        (Parties(), 1, {"inbound": "speaker"}),
        (Parties(names=["Ann", "Bob"], labels={"inbound": "x"}), 1, {"inbound": "Ann"}),
        (Parties(), 2, {"inbound": "channel 1", "outbound": "channel 2"}),
        (Parties(direction="inbound"), 2, {"inbound": "caller", "outbound": "callee"}),
        (Parties(direction="outbound", names=["agent"]), 2, {"inbound": "agent", "outbound": "caller"}),
        (Parties(direction="inbound", labels={"outbound": "agent"}), 2, {"inbound": "caller", "outbound": "agent"}),
    ],
)
def test_each_channel_has_a_label(parties, channels, speakers):
    assert parties.speakers(channels) == speakers


def started(channels=2):
    format = FORMAT.model_copy(update={"channels": channels})
    return imported.started("import-1", "import", Parties(from_="+1"), format, STARTED_AT, {"recording": "a.mp3"})


def test_a_recording_lacks_every_word_of_its_tracks_at_first():
    end = imported.lacking(started(1), 12.5)

    assert [(stretch.track, stretch.from_, stretch.to) for stretch in end.uncovered] == [("inbound", 0.0, 12.5)]
    assert len(imported.lacking(started(2), 12.5).uncovered) == 2


def final(start, **said):
    word = {"word": "hello", "text": "Hello", "start": start, "end": start + 1, "confidence": 1.0}
    said = {"segment_id": f"s{start}", **said}
    return TranscriptFinal(**transcript(final=True, source="backfill", start=start, words=[word], **said))


def backfilled(start, end, request_id):
    return TranscriptionBackfilled(from_=start, to=end, waiting=0.0, request_id=request_id, model="nova-3")


def test_the_record_has_the_words_before_the_end():
    begun = started()
    given_up = AudioGap(track="inbound", from_=5.0, to=10.0, missing=5.0, why="not_transcribed")
    said = [final(1.0), backfilled(0.0, 5.0, "r1"), given_up, final(6.0), backfilled(5.0, 10.0, "r2")]
    logged = imported.numbered("import-1", [begun, imported.lacking(begun, 10.0), *said], STARTED_AT)
    record = imported.finished(logged, STARTED_AT + 99, "https://calls.example.com")

    assert [event.type for event in record] == ["call.started", "transcript.final", "transcript.final", "call.ended"]
    assert [(event.seq, event.id) for event in record] == [(n, f"import-1-{n}") for n in range(1, 5)]
    end = record[-1].data
    assert isinstance(end, CallEnded)
    assert (end.flush, end.missing, end.duration, end.uncovered) == ("complete", 0.0, 10.0, [])
    assert end.counts == {"finals": 2, "words": 2}
    assert [(request.request_id, request.start) for request in end.requests] == [("r1", 0.0), ("r2", 5.0)]
    assert end.figures.talk_time == {"channel 1": 2.0, "channel 2": 0.0}
    assert end.transcript_url == "https://calls.example.com/calls/import-1/transcript.json"


def test_audio_that_could_not_be_read_is_missing():
    begun = started()
    lost = AudioGap(track="inbound", from_=5.0, to=10.0, missing=5.0, why="overflow")
    logged = imported.numbered("import-1", [begun, imported.lacking(begun, 10.0), lost], STARTED_AT)
    end = imported.finished(logged, STARTED_AT, None)[-1].data

    assert (end.flush, end.missing, end.counts) == ("timed_out", 5.0, {"gaps": 1})
