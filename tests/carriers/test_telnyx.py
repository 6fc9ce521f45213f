import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.audio import alaw_to_mulaw
from bridge.carriers.messages import Connected, Digit, Failed, Ignored, Media, Started, Stopped, UnsupportedMedia
from bridge.carriers.telnyx import TelnyxDialect
from bridge.errors import RemoteProtocolError
from tests.fakes.telnyx import CALL_CONTROL, media, start


def read(*texts):
    dialect = TelnyxDialect()
    return [message for text in texts for message in dialect.receive_text(text)]


def test_connected_has_no_protocol():
    assert read('{"event":"connected","version":"1.0.0"}') == [Connected()]


def test_start_names_the_sides_and_the_call():
    (started,) = read(start(custom_parameters={"direction": "inbound", "speaker.inbound": "Ann", "team": "blue"}))

    assert started == Started(
        call_id=CALL_CONTROL.replace(":", "-"),
        stream_id="32DE0DEA-53CB-4B21-89A4-9E1819C043BC",
        tracks=(),
        encoding="PCMU",
        sample_rate=8000,
        parameters={"team": "blue", "direction": "inbound"},
        carrier="telnyx",
        from_="+13122010094",
        to="+13122123456",
        direction="inbound",
        speakers={"inbound": "Ann"},
    )


def test_parameters_may_be_a_list_as_they_were_given_to_the_api():
    (started,) = read(start(custom_parameters=[{"name": "team", "value": "blue"}, {"name": "from", "value": "+1"}]))

    assert (started.parameters, started.from_) == ({"team": "blue", "from": "+1"}, "+13122010094")


def test_frames_keep_the_place_that_they_say_however_they_come():
    messages = read(start(), media(40, 3, b"b"), media(20, 2, b"a"), media(20, 4, b"c", track="outbound"))

    assert messages[1:] == [
        Media("inbound", 40, 3, b"b"),
        Media("inbound", 20, 2, b"a"),
        Media("outbound", 20, 4, b"c"),
    ]


def test_a_law_becomes_mu_law_that_of_frames_before_start_too():
    alaw = bytes(range(256))
    _, early, later = read(media(20, 2, alaw), start(encoding="PCMA"), media(40, 3, alaw))

    assert early.payload == later.payload == alaw_to_mulaw(alaw)
    assert (early.at, later.at) == (20, 40)


def test_audio_without_a_start_has_a_bound():
    with pytest.raises(RemoteProtocolError):
        read(*[media(20, number, b"x") for number in range(600)])


@pytest.mark.parametrize(("encoding", "rate"), [("L16", 16000), ("L16", 8000), ("G722", 8000), ("PCMU", 16000)])
def test_other_codecs_are_refused_with_what_to_set(encoding, rate):
    with pytest.raises(UnsupportedMedia, match="stream_codec"):
        read(start(encoding=encoding, sample_rate=rate))


@pytest.mark.parametrize("body", [{"dtmf": {"digit": "5"}}, {"payload": {"digit": "5"}}])
def test_a_digit_in_either_place(body):
    assert read(json.dumps({"event": "dtmf", "stream_id": "x", **body})) == [Digit("inbound", "5")]


def test_an_error_is_told_in_their_words():
    said = {"code": 100003, "title": "malformed_frame", "detail": "The received frame was not formed correctly."}

    assert read(json.dumps({"event": "error", "stream_id": "x", "payload": said})) == [
        Failed("100003 malformed_frame The received frame was not formed correctly.")
    ]
    assert read('{"event":"error"}') == [Failed("no reason given")]


def test_the_end_and_what_says_nothing_to_us():
    assert read('{"event":"stop","sequence_number":"5","stop":{}}', '{"event":"mark"}') == [Stopped(), Ignored()]


def test_a_close_is_no_end_and_nothing_is_sent():
    assert (TelnyxDialect().receive_close(1000), TelnyxDialect().data_to_send()) == ((), ())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"event":"start"}', '{"event":"dtmf"}', "[" * 100_000])
def test_what_cannot_be_read_is_a_protocol_error(text):
    with pytest.raises(RemoteProtocolError):
        read(text)


@pytest.mark.parametrize(
    "text", ['{"event":"media"}', media(20, 2, b"x").replace(base64.b64encode(b"x").decode(), "!")]
)
def test_a_broken_frame_costs_itself(text):
    dialect = TelnyxDialect()
    dialect.receive_text(start())
    with pytest.raises(RemoteProtocolError):
        dialect.receive_text(text)

    assert dialect.receive_text(media(40, 3, b"b")) == (Media("inbound", 40, 3, b"b"),)


@pytest.mark.parametrize(
    "odd", [{"media_format": None}, {"media_format": {"sample_rate": []}}, {"custom_parameters": [7, {"name": "a"}]}]
)
def test_an_odd_field_of_a_start_costs_itself(odd):
    (usual,) = TelnyxDialect().receive_text(start())
    said = json.loads(start(**odd)) | {"sequence_number": "soon", "stream_id": 7}
    (started,) = TelnyxDialect().receive_text(json.dumps(said))

    assert started == replace(usual, stream_id=started.call_id)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["event", "media", "start", "dtmf", "payload"]), x),
    ),
    st.sampled_from(["media", "start", "dtmf", "error"]),
)
def test_any_json_is_read_or_refused(value, event):
    for said in (value, {"event": event, event: value}, {"event": event, "start": value, "payload": value}):
        try:
            read(json.dumps(said))
        except RemoteProtocolError:
            pass
