"""Telnyx and jambonz over a real socket, from the upgrade to the call's record."""

import base64
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bridge.audio import audioop, interleave, mulaw_to_pcm
from tests.fakes import telnyx
from tests.fakes.running import AUDIO, bridge, deepgram, record, settings
from tests.web.test_media import drained, events, spoken, words

SECRET = "a-secret-of-the-owner"
PAIR = "ann:pass"
BASIC = "Basic " + base64.b64encode(PAIR.encode()).decode()


@pytest.fixture
async def server():
    async with deepgram() as local:
        yield local


@pytest.fixture
def configured(tmp_path, server):
    return settings(tmp_path, server.url, bridge_telnyx_secret=SECRET, bridge_jambonz_auth=PAIR)


def socket(origin, carrier, headers=None, **given):
    url = f"{origin.replace('http', 'ws', 1)}/media/{carrier}"
    return connect(url, additional_headers=headers, compression=None, **given)


def telnyx_talk(convert=lambda mulaw: mulaw):
    """Both tracks, with every second pair of frames the wrong way round."""
    frames = []
    for offset in range(0, len(AUDIO[0]), 160):
        for track, audio in zip(("inbound", "outbound"), AUDIO, strict=True):
            payload = convert(audio[offset : offset + 160])
            frames.append(telnyx.media(20 + offset // 8, len(frames) + 2, payload, track))
    for at in range(0, len(frames) - 3, 4):
        frames[at : at + 4] = frames[at + 2 : at + 4] + frames[at : at + 2]
    return frames


def to_alaw(mulaw):
    return audioop.lin2alaw(audioop.ulaw2lin(mulaw, 2), 2)


async def test_telnyx_out_of_order_is_heard_word_for_word(tmp_path, server, configured):
    async with bridge(configured) as origin:
        async with socket(origin, "telnyx", {"x-telnyx-streaming-auth-token": SECRET}) as carrier:
            for frame in ('{"event":"connected","version":"1.0.0"}', telnyx.start(), *telnyx_talk()):
                await carrier.send(frame)
            await carrier.send('{"event":"error","payload":{"code":100002,"title":"unknown_error"}}')
            await carrier.send('{"event":"stop","sequence_number":"9","stream_id":"x"}')
            await drained(origin)
    stored = await record(tmp_path, telnyx.CALL)

    assert (words(stored, 0), words(stored, 1)) == (spoken(0), spoken(1))
    started, ended = events(stored)[0]["data"], events(stored)[-1]["data"]
    assert (started["carrier"], started["from"], started["to"]) == ("telnyx", "+13122010094", "+13122123456")
    assert (ended["reason"], ended["flush"]) == ("stopped", "complete")
    (failed,) = [event["data"] for event in events(stored) if event["type"] == "stream.failed"]
    assert failed["error"] == "100002 unknown_error"
    assert bytes(server.connections[0].audio) == interleave(*AUDIO)


async def test_telnyx_in_a_law_is_nearly_the_same_audio(server, configured):
    async with bridge(configured) as origin:
        async with socket(origin, f"telnyx/{SECRET}") as carrier:
            for frame in (telnyx.start(encoding="PCMA"), *telnyx_talk(to_alaw), '{"event":"stop"}'):
                await carrier.send(frame)
            await drained(origin)
    sent, heard = interleave(*AUDIO), bytes(server.connections[0].audio)

    difference = audioop.add(mulaw_to_pcm(heard), audioop.mul(mulaw_to_pcm(sent), 2, -1), 2)
    assert len(heard) == len(sent)
    assert audioop.rms(difference, 2) < 0.05 * audioop.rms(mulaw_to_pcm(sent), 2)


def jambonz_metadata(**changes):
    said = {
        "callSid": "jb-1",
        "from": "+1",
        "to": "+2",
        "direction": "inbound",
        "sampleRate": 8000,
        "mixType": "stereo",
    }
    return json.dumps({**said, **changes})


async def test_jambonz_is_heard_word_for_word_and_ends_with_its_socket(tmp_path, server, configured):
    left, right = (mulaw_to_pcm(track) for track in AUDIO)
    stereo = b"".join(left[at : at + 2] + right[at : at + 2] for at in range(0, len(left), 2))
    async with bridge(configured) as origin:
        protocols = ["audio.jambonz.org"]
        async with socket(origin, "jambonz", {"Authorization": BASIC}, subprotocols=protocols) as carrier:
            assert carrier.subprotocol == "audio.jambonz.org"
            await carrier.send(jambonz_metadata(team="blue"))
            for at in range(0, len(stereo), 1000):  # no whole number of milliseconds
                await carrier.send(stereo[at : at + 1000])
            await carrier.send('{"event":"dtmf","dtmf":"7","duration":"800"}')
        await drained(origin)
    stored = await record(tmp_path, "jb-1")

    assert (words(stored, 0), words(stored, 1)) == (spoken(0), spoken(1))
    started, ended = events(stored)[0]["data"], events(stored)[-1]["data"]
    assert (started["carrier"], started["speakers"]["inbound"], started["parameters"]) == (
        "jambonz",
        "caller",
        {"team": "blue"},
    )
    assert (ended["reason"], ended["flush"]) == ("stopped", "complete")
    assert [event["data"]["digit"] for event in events(stored) if event["type"] == "dtmf.received"] == ["7"]


async def test_a_higher_rate_is_refused_with_what_to_set(server, configured):
    async with bridge(configured) as origin, socket(origin, "jambonz", {"Authorization": BASIC}) as carrier:
        await carrier.send(jambonz_metadata(sampleRate=16000))
        with pytest.raises(ConnectionClosed) as closed:
            await carrier.recv()

    assert (closed.value.rcvd.code, server.connections) == (1008, [])
    assert "set sampleRate of listen to 8000" in closed.value.rcvd.reason


@pytest.mark.parametrize(("carrier", "status"), [("telnyx", 403), ("telnyx/wrong", 403), ("jambonz", 401)])
async def test_a_stranger_is_refused_before_the_upgrade(configured, carrier, status):
    async with bridge(configured) as origin:
        with pytest.raises(InvalidStatus) as refused:
            await socket(origin, carrier)

    assert refused.value.response.status_code == status


@pytest.mark.parametrize("carrier", ["telnyx", "jambonz"])
async def test_a_carrier_without_a_secret_is_closed(tmp_path, server, carrier):
    async with bridge(settings(tmp_path, server.url)) as origin:
        with pytest.raises(InvalidStatus) as refused:
            await socket(origin, carrier)

    assert refused.value.response.status_code == 403
    assert b"set BRIDGE_" in refused.value.response.body
