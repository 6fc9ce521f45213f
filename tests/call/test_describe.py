import json
from dataclasses import replace

import pytest

from bridge.call import describe
from bridge.carriers.messages import Started
from bridge.carriers.parameters import read
from bridge.deepgram import options
from bridge.deepgram.exchange import AudioLost, Interrupted, Resumed
from bridge.deepgram.latency import LatencyMeter
from bridge.events import Latency, Stretch
from bridge.outbox import call_header
from bridge.spans import Span
from bridge.store.base import CallRow, FoundCall
from tests.fakes.gaps import gap
from tests.fakes.words import STARTED_AT


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


@pytest.mark.parametrize(
    ("named", "carried"),
    [
        (("outbound", "inbound"), ("inbound", "outbound")),
        (("outbound",), ("outbound",)),
        (("both_tracks",), ()),
    ],
)
def test_a_stream_carries_the_tracks_that_its_carrier_names(named, carried):
    assert describe.tracks(replace(started(), tracks=named)) == carried


@pytest.mark.parametrize(("media_format", "known"), [(True, ("audio/x-mulaw", 8000)), (False, ("", 0))])
def test_a_stream_is_known_again_by_what_was_written_of_it(media_format, known):
    first = started(campaign="7", direction="inbound", **{"from": "+1", "to": "+2"})
    event = describe.event("CA1--2", 1, 0.0, describe.call_started(first, {"inbound": "Ann"}, 0.0, None))
    written = json.loads(event.data.model_dump_json())
    if not media_format:
        written["media_format"] = None

    expected = replace(first, speakers={"inbound": "Ann"}, encoding=known[0], sample_rate=known[1])
    assert describe.started_again("CA1", call_header(event), written) == expected


@pytest.mark.parametrize("token", [None, "t"])
def test_the_first_event_says_what_stream_it_was_when_and_whether_it_had_a_token(token):
    event = describe.call_started(replace(started(), token=token), {"inbound": "Ann"}, STARTED_AT, None)

    assert (event.carrier, event.stream_id, event.tracks) == ("twilio", "MZ1", ["inbound", "outbound"])
    assert (event.speakers, event.started_at) == ({"inbound": "Ann"}, "2027-01-15T08:00:00.000Z")
    assert event.stream_token is (token is not None)


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
    (told,) = describe.audio_gaps(gap("outbound", 1.0, 2.0, 0.1, "lost"))

    assert (told.track, told.from_, told.to, told.missing, told.why) == ("outbound", 1.0, 2.0, 0.1, "lost")


@pytest.mark.parametrize("why", ["overflow", "not_transcribed"])
def test_a_stretch_that_will_not_be_transcribed_is_a_gap_of_all_of_it(why):
    told = describe.gap(Stretch(track="outbound", from_=0.1, to=0.3), why)

    assert (told.track, told.from_, told.to, told.missing, told.why) == ("outbound", 0.1, 0.3, 0.2, why)


def test_stretches_are_told_in_milliseconds_as_far_as_the_call_goes():
    spans = [(0, Span(8005, 16_003)), (1, Span(16_000, 24_000)), (1, Span(24_000, 32_000))]

    def told(*until):
        return [(stretch.track, stretch.from_, stretch.to) for stretch in describe.stretches(spans, *until)]

    assert told() == [("inbound", 1.001, 2.0), ("outbound", 2.0, 3.0), ("outbound", 3.0, 4.0)]
    assert told(2.50049) == [("inbound", 1.001, 2.0), ("outbound", 2.0, 2.5)]
    assert told(3.00049) == [("inbound", 1.001, 2.0), ("outbound", 2.0, 3.0)]


def test_what_is_missing_is_what_the_track_with_most_of_it_lacks():
    lacking = [("inbound", 1.0, 1.1), ("outbound", 0.5, 0.7), ("inbound", 3.0, 3.2)]

    assert describe.missing(Stretch(track=track, from_=start, to=end) for track, start, end in lacking) == 0.3
    assert describe.missing([]) == 0.0


def test_the_way_to_deepgram_is_told_with_all_that_is_known_of_it():
    away = describe.session_news(Interrupted("no answer", 503, "r1", 2, 1.23456, True, "one:80"))
    back = describe.session_news(Resumed(3, 1.23456, "r2", "two:80"))
    lost = describe.session_news(AudioLost(1, Span(8000, 20_000), "overflow"))

    assert away.model_dump() == {
        "reason": "no answer",
        "status": 503,
        "request_id": "r1",
        "attempt": 2,
        "waiting": 1.235,
        "retry": True,
        "origin": "one:80",
    }
    assert back.model_dump() == {"attempt": 3, "waiting": 1.235, "request_id": "r2", "origin": "two:80"}
    assert lost.model_dump() == {"track": "outbound", "from": 1.0, "to": 2.5, "missing": 1.5, "why": "overflow"}


@pytest.mark.parametrize(("named", "told"), [("MZ1", "MZ1"), (None, "")])
def test_the_record_of_a_call_whose_stream_never_came(named, told):
    events = describe.failed_call("twilio", "CA1", named, "handshake failed", STARTED_AT)

    assert [(event.seq, event.id, event.type) for event in events] == [
        (1, "CA1-1", "call.started"),
        (2, "CA1-2", "stream.failed"),
        (3, "CA1-3", "call.ended"),
    ]
    assert (events[0].data.carrier_call_id, events[0].data.continues) == ("CA1", None)
    begun, failed, end = (event.data for event in events)
    assert (begun.carrier, begun.stream_id, begun.tracks, begun.media_format) == ("twilio", told, [], None)
    assert begun.speakers == {"inbound": "inbound", "outbound": "outbound"}
    assert (failed.stream_id, failed.error) == (named, "handshake failed")
    assert (end.reason, end.duration, end.flush, end.missing, end.counts) == ("stream_failed", 0.0, "complete", 0.0, {})
    assert begun.started_at == end.ended_at == events[2].time == "2027-01-15T08:00:00.000Z"


def test_the_language_is_told_unless_results_tell_theirs():
    assert describe.language(options.parse("language=es")) == "es"
    assert describe.language(options.parse("language=multi")) is None
    assert describe.language(options.parse("")) is None


def test_the_transcript_has_an_address_where_we_have_one():
    assert describe.transcript_url(None, "CA1") is None
    assert describe.transcript_url("https://x.example", "CA1") == "https://x.example/calls/CA1/transcript.json"
    assert describe.transcript_url("https://x.example", "C?1") == "https://x.example/calls/C%3F1/transcript.json"


def test_latency_in_seconds_or_none_at_all():
    meter = LatencyMeter()
    assert describe.latency(meter) is None

    for late in (2000, 4000, 12_001):
        meter.add(late, 0)
    assert describe.latency(meter) == Latency(p50=0.5, p99=1.5, max=1.5, measured=3)


ENDED = "the call has ended while another process heard it"
HEARD = "another process hears the call"


@pytest.mark.parametrize(
    ("ended_at", "reason", "asked", "tracks", "waited", "said"),
    [
        (None, "", True, ("inbound", "outbound"), False, HEARD),
        (None, "", True, (), True, HEARD),
        (None, "", True, ("inbound",), False, None),  # the other track may be there
        (None, "", False, ("inbound", "outbound"), True, None),
        (60.0, "stopped", True, ("inbound", "outbound"), False, ENDED),
        (60.0, "stopped", False, ("inbound", "outbound"), True, ENDED),
        (60.0, "stopped", False, ("inbound", "outbound"), False, None),  # the carrier has begun it once more
        (60.0, "bridge_restarted", True, ("inbound", "outbound"), True, None),
        (40.0, "stopped", True, ("inbound", "outbound"), True, None),  # before it came
    ],
)
def test_a_stream_that_another_has_taken_the_place_of_begins_no_further_record(
    ended_at, reason, asked, tracks, waited, said
):
    row = CallRow("CA1", "{}", 0.0, ended_at, 3, "node", 1)
    found = FoundCall(row, None if ended_at is None else json.dumps({"data": {"reason": reason}}))
    stream = replace(started(), asked=asked, tracks=tracks)

    assert describe.superseded(found, stream, 50.0, waited=waited) == said
