import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.carriers.messages import Connected, Digit, Ignored, Media, Started, Stopped
from bridge.carriers.twilio import TwilioDialect
from bridge.errors import RemoteProtocolError

START = {
    "event": "start",
    "sequenceNumber": "1",
    "streamSid": "MZ1",
    "start": {
        "accountSid": "AC1",
        "streamSid": "MZ1",
        "callSid": "CA1",
        "tracks": ["inbound", "outbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"from": "+15550100"},
    },
}


def parse(text):
    (message,) = TwilioDialect().receive_text(text)
    return message


def media(**changes):
    body = {"track": "inbound", "chunk": "1", "timestamp": "99", "payload": base64.b64encode(b"abc").decode()}
    return json.dumps({"event": "media", "sequenceNumber": "2", "streamSid": "MZ1", "media": {**body, **changes}})


def start(**changes):
    return json.dumps({**START, "start": {**START["start"], **changes}})


def test_connected_of_any_version():
    assert parse('{"event":"connected","protocol":"Call","version":"0.2.0"}') == Connected()


def test_start_tells_whose_stream_it_is():
    assert parse(json.dumps(START)) == Started(
        call_id="CA1",
        stream_id="MZ1",
        tracks=("inbound", "outbound"),
        encoding="audio/x-mulaw",
        sample_rate=8000,
        carrier="twilio",
        from_="+15550100",
        parameters={"from": "+15550100"},
    )


def test_media_has_counters_that_are_strings():
    assert parse(media()) == Media("inbound", 99, 2, b"abc")


def test_media_with_counters_that_are_numbers_is_read_too():
    assert parse(media(timestamp=99)) == Media("inbound", 99, 2, b"abc")


def test_media_without_a_sequence_number():
    frame = json.loads(media())
    del frame["sequenceNumber"]

    assert parse(json.dumps(frame)).sequence is None


def test_a_digit_is_named_by_its_track():
    text = json.dumps({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"track": "inbound_track", "digit": "5"}})

    assert parse(text) == Digit("inbound", "5")


@pytest.mark.parametrize(
    ("named", "track"),
    [
        ({"track": "outbound_track"}, "outbound"),
        ({"track": "outbound"}, "outbound"),
        ({}, "inbound"),
        ({"track": "sideways"}, "inbound"),
        ({"track": None}, "inbound"),
    ],
)
def test_no_digit_is_lost_over_the_name_of_its_track(named, track):
    assert parse(json.dumps({"event": "dtmf", "dtmf": {**named, "digit": "#"}})) == Digit(track, "#")


def test_stop_with_and_without_its_body():
    assert parse('{"event":"stop","stop":{"callSid":"CA1"}}') == Stopped()
    assert parse('{"event":"stop"}') == Stopped()


def test_messages_we_do_not_know_are_ignored():
    assert parse('{"event":"mark","mark":{"name":"x"}}') == Ignored()
    assert parse('{"event":"hologram"}') == Ignored()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "null",
        "7",
        "{}",
        '{"event":7}',
        '{"event":"media"}',
        '{"event":"media","media":null}',
        media(payload="!!!!"),
        media(payload="YWJ"),
        media(payload=7),
        media(timestamp="soon"),
        media(timestamp=None),
        media(timestamp="9" * 40),
        "[" * 100_000,
        start(callSid="CA 1; drop"),
        start(callSid=""),
        start(callSid=None),
        start(mediaFormat={"encoding": "audio/x-l16", "sampleRate": 8000, "channels": 1}),
        start(mediaFormat={"encoding": "audio/x-mulaw", "sampleRate": 16000, "channels": 1}),
        '{"event":"dtmf"}',
    ],
)
def test_what_cannot_be_read_is_a_protocol_error(text):
    with pytest.raises(RemoteProtocolError):
        parse(text)


@pytest.mark.parametrize(
    ("odd", "lost"),
    [
        ({"tracks": 7}, {"tracks": ()}),
        ({"customParameters": ["a"]}, {"from_": None, "parameters": {}}),
        ({"mediaFormat": None}, {}),
        ({"mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": "soon"}}, {}),
        ({"streamSid": {}}, {}),
    ],
)
def test_an_odd_field_of_a_start_costs_itself(odd, lost):
    assert parse(start(**odd)) == replace(parse(json.dumps(START)), **lost)


@pytest.mark.parametrize("odd", ["soon", -1, [], {}, "9" * 40, 1.5])
def test_a_frame_is_not_lost_over_its_number(odd):
    frame = json.loads(media())

    assert parse(json.dumps({**frame, "sequenceNumber": odd, "streamSid": odd, "dtmf": 5})) == Media(
        "inbound", 99, None, b"abc"
    )
    assert parse(json.dumps({**START, "sequenceNumber": odd})) == parse(json.dumps(START))


def test_an_error_never_repeats_the_audio():
    with pytest.raises(RemoteProtocolError) as caught:
        parse(media(payload="c2VjcmV0!"))

    assert "c2Vj" not in str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: (
            st.lists(x) | st.dictionaries(st.sampled_from(["event", "media", "start", "dtmf", "payload", "track"]), x)
        ),
    )
)
def test_any_json_is_read_or_refused(value):
    try:
        parse(json.dumps(value))
    except RemoteProtocolError:
        pass


@given(st.integers(0, len(media()) - 1), st.characters())
def test_any_damaged_message_is_read_or_refused(at, character):
    text = media()
    try:
        parse(text[:at] + character + text[at + 1 :])
    except RemoteProtocolError:
        pass


@given(
    st.lists(st.integers(0, 10**9).map(lambda at: media(timestamp=str(at), payload="AAAA"))),
    st.lists(
        st.sampled_from(
            [media(), json.dumps(START), "[", '{"event":"media"}', '{"event":"mark","media":{}}', '{"event":"stop"}']
        )
        | st.characters().map(lambda character: media(payload=character))
    ),
)
def test_frames_that_came_together_are_read_as_one_by_one_up_to_the_first_odd_one(ordinary, rest):
    texts = [text.encode() for text in (*ordinary, *rest)]
    found = TwilioDialect().receive_media(texts)

    assert len(found) >= len(ordinary)
    assert found == [parse(text) for text in texts[: len(found)]]
    assert rest or len(found) == len(texts)


def test_a_start_that_names_tracks_without_end_is_cut_short():
    text = json.loads(start())
    text["start"]["tracks"] = ["inbound", "x" * 1000, *["outbound"] * 1000]
    tracks = parse(json.dumps(text)).tracks

    assert tracks == ("inbound", "x" * 32, *["outbound"] * 6)
