import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.audio import mulaw_to_pcm, pcm_to_mulaw
from bridge.carriers.jambonz import JambonzDialect
from bridge.carriers.messages import Digit, Ignored, Media, Stopped, UnsupportedMedia
from bridge.errors import RemoteProtocolError

LEFT = mulaw_to_pcm(bytes(range(128, 128 + 80)) * 2)
RIGHT = mulaw_to_pcm(bytes(range(80)) * 2)
STEREO = b"".join(LEFT[at : at + 2] + RIGHT[at : at + 2] for at in range(0, len(LEFT), 2))


def metadata(**changes):
    said = {
        "callSid": "7d2c4d42-4d4a-4f3c-9d7c-1f6a3d1c9d11",
        "direction": "inbound",
        "from": "+15083084809",
        "to": "+15083728299",
        "callId": "a@b",
        "sipStatus": 200,
        "callStatus": "in-progress",
        "sampleRate": 8000,
        "mixType": "stereo",
    }
    return json.dumps({**said, **changes})


def begun(**changes):
    dialect = JambonzDialect()
    (started,) = dialect.receive_text(metadata(**changes))
    return dialect, started


def test_the_first_text_tells_whose_call_it_is():
    _, started = begun(**{"team": "blue", "vip": True, "speaker.inbound": "Ann"})

    assert (started.call_id, started.carrier) == ("7d2c4d42-4d4a-4f3c-9d7c-1f6a3d1c9d11", "jambonz")
    assert (started.from_, started.to, started.direction) == ("+15083084809", "+15083728299", "inbound")
    assert (started.tracks, started.speakers) == (("inbound", "outbound"), {"inbound": "Ann"})
    assert started.parameters == {"team": "blue", "vip": "true"}


def test_stereo_is_the_two_tracks():
    dialect, _ = begun()

    assert dialect.receive_binary(STEREO) == [
        Media("inbound", 0, None, pcm_to_mulaw(LEFT)),
        Media("outbound", 0, None, pcm_to_mulaw(RIGHT)),
    ]
    assert [media.at for media in dialect.receive_binary(STEREO)] == [20, 20]


def test_mono_is_the_leg_that_listens():
    dialect, started = begun(mixType="mono")

    assert started.tracks == ("inbound",)
    assert dialect.receive_binary(LEFT) == [Media("inbound", 0, None, pcm_to_mulaw(LEFT))]


@given(st.lists(st.integers(1, 200), min_size=1), st.sampled_from(["mono", "stereo"]))
def test_frames_cut_anywhere_make_the_same_audio_without_a_hole(sizes, mix):
    dialect, started = begun(mixType=mix)
    heard = dict.fromkeys(started.tracks, b"")
    sent = (STEREO * 40)[: sum(sizes)]
    at = 0
    for size in sizes:
        for media in dialect.receive_binary(sent[at : at + size]):
            assert media.at * 8 == len(heard[media.track])
            heard[media.track] += media.payload
        at += size
    width = 2 * len(started.tracks)
    whole = len(sent) // (8 * width) * 8 * width
    for channel, audio in enumerate(heard.values()):
        expected = b"".join(sent[i + 2 * channel : i + 2 * channel + 2] for i in range(0, whole, width))
        assert audio == pcm_to_mulaw(expected)


@pytest.mark.parametrize("changes", [{"sampleRate": 16000}, {"mixType": "mixed"}])
def test_another_format_is_refused_with_what_to_set(changes):
    with pytest.raises(UnsupportedMedia, match="set .* of listen to"):
        begun(**changes)


def test_keys_and_what_says_nothing_to_us():
    dialect, _ = begun()

    assert dialect.receive_text('{"event":"dtmf","dtmf":"5","duration":"1600"}') == (Digit("inbound", "5"),)
    assert dialect.receive_text('{"event":"playDone","id":"x"}') == (Ignored(),)


def test_a_close_in_order_is_the_end_and_a_broken_socket_is_not():
    dialect, _ = begun()

    assert dialect.receive_close(1000) == (Stopped(),)
    assert dialect.receive_close(None) == ()
    assert dialect.data_to_send() == ()


@pytest.mark.parametrize("rate", ["soon", None, [], float("inf"), 10**400])
def test_a_rate_that_is_none_is_the_usual_one(rate):
    assert begun(sampleRate=rate)[1].sample_rate == 8000


@pytest.mark.parametrize("text", ["", "[]", "7", "{}", '{"callSid":7}'])
def test_a_first_text_that_cannot_be_read_is_a_protocol_error_and_another_may_come(text):
    dialect = JambonzDialect()
    with pytest.raises(RemoteProtocolError):
        dialect.receive_text(text)

    assert dialect.receive_text(metadata())


@pytest.mark.parametrize("text", ["", "[]", "7", '{"event":"dtmf"}'])
def test_so_is_a_later_one(text):
    dialect, _ = begun()
    with pytest.raises(RemoteProtocolError):
        dialect.receive_text(text)


def test_audio_of_no_call_is_a_protocol_error():
    with pytest.raises(RemoteProtocolError):
        JambonzDialect().receive_binary(STEREO)
