import json

import pytest

from bridge.call import describe
from bridge.carriers.messages import Started
from bridge.carriers.parameters import read
from bridge.deepgram import options
from tests.fakes.gaps import gap


def started(**parameters):
    said = read(parameters)
    return Started("CA1", "MZ1", ("inbound", "outbound"), "audio/x-mulaw", 8000, carrier="twilio", **said)


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("inbound", {"inbound": "caller", "outbound": "callee"}),
        ("outbound", {"inbound": "callee", "outbound": "caller"}),
        (None, {"inbound": "inbound", "outbound": "outbound"}),
    ],
)
def test_labels_follow_from_the_direction_never_from_the_track_alone(direction, expected):
    assert describe.speakers(direction, {}) == expected


def test_settings_go_over_the_direction_and_parameters_over_both():
    speakers = describe.speakers("inbound", {"inbound": "customer", "outbound": "agent"}, {"inbound": "Ann"})

    assert speakers == {"inbound": "Ann", "outbound": "agent"}


def test_the_token_never_enters_an_event():
    ours = {"token": f"CA1.9.{'secret':x<43}", "direction": "inbound", "from": "+1", "to": "+2"}
    given = started(campaign="7", **{f"bridge.{name}": value for name, value in ours.items()})
    event = describe.call_started(given, {}, 0.0, None)

    assert "secret" not in event.model_dump_json()
    assert event.parameters == {"campaign": "7"}
    assert (event.from_, event.to, event.direction) == ("+1", "+2", "inbound")


@pytest.mark.parametrize(("newest", "further"), [("CA1", "CA1--2"), ("CA1--2", "CA1--3"), ("CA1--10", "CA1--11")])
def test_a_further_record_is_named_after_the_newest(newest, further):
    assert describe.further_record(newest, "CA1") == further


def test_a_carriers_own_id_may_look_like_a_further_records():
    assert describe.further_record("A--7", "A--7") == "A--7--2"


def test_a_record_names_the_carriers_call_and_the_record_before():
    event = describe.call_started(started(), {}, 0.0, "CA1--2")

    assert (event.carrier_call_id, event.continues) == ("CA1", "CA1--2")


def test_the_media_format_is_told_in_our_words():
    told = json.loads(describe.call_started(started(), {}, 0.0, None).model_dump_json())["media_format"]

    assert told == {"encoding": "audio/x-mulaw", "sample_rate": 8000, "channels": 1}


def test_an_unknown_direction_is_not_repeated():
    assert describe.call_started(started(direction="sideways"), {}, 0.0, None).direction is None


def test_the_aligners_gap_is_told_in_seconds():
    told = describe.audio_gap(gap("outbound", 1.0, 2.0, 0.1, "lost"))

    assert (told.track, told.from_, told.to, told.missing, told.why) == ("outbound", 1.0, 2.0, 0.1, "lost")


def test_the_record_of_a_call_whose_stream_never_came():
    events = describe.failed_call("twilio", "CA1", "MZ1", "handshake failed", 0.0)

    assert [(event.seq, event.id, event.type) for event in events] == [
        (1, "CA1-1", "call.started"),
        (2, "CA1-2", "stream.failed"),
        (3, "CA1-3", "call.ended"),
    ]
    assert (events[0].data.carrier_call_id, events[0].data.continues) == ("CA1", None)
    assert events[0].data.media_format is None
    assert events[1].data.error == "handshake failed"
    assert events[2].data.reason == "stream_failed"


def test_the_language_is_told_unless_results_tell_theirs():
    assert describe.language(options.parse("language=es")) == "es"
    assert describe.language(options.parse("language=multi")) is None
    assert describe.language(options.parse("")) is None


def test_the_transcript_has_an_address_where_we_have_one():
    assert describe.transcript_url(None, "CA1") is None
    assert describe.transcript_url("https://x.example", "CA1") == "https://x.example/calls/CA1/transcript.json"
