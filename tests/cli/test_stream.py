"""`bridge stream`, as a user types it."""

import asyncio
import json
import os
import subprocess
import sys
import wave

import pytest

from bridge.local.deepgram import Faults, LocalDeepgram
from bridge.local.script import TimedRecognizers, random_script
from bridge.store.audio import Recordings
from tests.cli.test_sources import encoded
from tests.fakes.command import beside, command, typed
from tests.fakes.running import ROOT, record

SCRIPT = random_script(20, 2.0)


@pytest.fixture
def deepgram():
    with beside(LocalDeepgram(TimedRecognizers(SCRIPT))) as server:
        yield server


@pytest.fixture
def file(tmp_path):
    with wave.open(str(tmp_path / "talk.wav"), "wb") as talk:
        talk.setnchannels(2)
        talk.setsampwidth(2)
        talk.setframerate(8000)
        talk.writeframes(bytes(4 * 8000 * 2))
    return tmp_path / "talk.wav"


def stream(*arguments, **given):
    """Status, what it wrote, and what it complained of."""
    return typed("stream", *map(str, arguments), **{"DEEPGRAM_API_KEY": "key", **given})


def stream_apart(*arguments, given=b""):
    """The same in a process of its own, whose end ends its reader of the source in the midst of it."""
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "stream", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "DEEPGRAM_API_KEY": "key"},
        input=given,
        capture_output=True,
        timeout=120,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def finals(out):
    return [json.loads(line)["data"] for line in out.splitlines() if '"transcript.final"' in line]


def test_a_file_with_its_channels_named_and_kept_apart(deepgram, file, tmp_path):
    saved = tmp_path / "saved.wav"
    hosts = ("--host", f"ws://127.0.0.1:1 {deepgram.url}", "-k", "one two")
    how = (*hosts, "--name", "agent", "--name", "caller", "--json", "--save", saved)
    status, out, err = stream(file, "-m", "nova-2", "--option", "keywords=Acme:2", *how)

    assert (status, err) == (0, "")
    for channel, speaker in enumerate(("agent", "caller")):
        said = [word["word"] for final in finals(out) if final["speaker"] == speaker for word in final["words"]]
        assert said == [word.word for word in SCRIPT.channels[channel]]
    asked = deepgram.connections[0].query
    assert deepgram.connections[0].headers["Authorization"] == "Token two"
    assert ("model", "nova-2") in asked and ("keywords", "Acme:2") in asked
    with wave.open(str(saved)) as kept:
        assert (kept.getnchannels(), kept.getframerate(), kept.getnframes()) == (2, 16_000, 32_000)


def test_standard_input_without_a_header_as_captions(deepgram):
    arguments = ("-", "-e", "mulaw", "-s", "8000", "-f", "srt", "--host", deepgram.url)
    status, out, _ = stream_apart(*arguments, given=b"\xff" * 8000 * 2)

    assert status == 0
    assert out.startswith("1\n00:00:0")
    text = " ".join(out.split())
    assert all(word.text in text for word in SCRIPT.channels[0])


def test_what_is_damaged_is_said(deepgram, tmp_path):
    damaged = encoded(tmp_path / "a.mp3", "mp3", 1.0)
    damaged.write_bytes(damaged.read_bytes() + b"rubbish behind it" * 50)
    status, _, err = stream(damaged, "--host", deepgram.url)
    assert status == 0 and "of its audio could not be decoded" in err


def test_a_refusal_in_deepgrams_own_words(deepgram, file):
    deepgram.faults = Faults(refuse=401)
    status, _, err = stream_apart(file, "--host", deepgram.url, "-f", "vtt")

    assert status == 2
    assert "bridge: Deepgram refuses it: INVALID_AUTH" in err
    assert "(request " in err


def test_where_no_deepgram_is_nothing_is_waited_for(file, unused_tcp_port):
    status, _, err = stream_apart(file, "--host", f"ws://127.0.0.1:{unused_tcp_port}")

    assert status == 2
    assert f"Deepgram cannot be reached: connect (ECONNREFUSED) at 127.0.0.1:{unused_tcp_port}; --host" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "say what to hear"),
        (("a.wav", "-i", "b.wav"), "say what to hear"),
        (("none.wav",), "there is no none.wav"),
        (("a.wav", "--option", "x"), "--option takes name=value"),
        (("a.wav", "--option", "callback=https://example.com"), "callback would have the results sent elsewhere"),
        (("a.wav", "--host", "https://api.deepgram.com"), "must be a wss:// or ws:// URL"),
    ],
)
async def test_what_cannot_be(arguments, sentence):
    told = await command("stream", *arguments, DEEPGRAM_API_KEY="key")

    assert told.status == 2
    assert sentence in " ".join((told.out + told.err).replace("│", " ").split())


async def test_without_a_key(file):
    told = await command("stream", str(file), DEEPGRAM_API_KEY="")
    sentence = "set DEEPGRAM_API_KEY, or give Deepgram's key with -k; --host names a server of yours that needs none"
    assert (told.status, told.err) == (2, f"bridge: {sentence}\n")


def test_what_is_streamed_becomes_a_call_in_the_record(deepgram, file, tmp_path):
    how = ("--host", deepgram.url, "--name", "agent", "--record", "-f", "vtt")
    kept = {"DATA_DIR": str(tmp_path / "data"), "BRIDGE_RECORDINGS": "true"}
    status, out, err = stream(file, *how, **kept)

    assert (status, out[:6]) == (0, "WEBVTT")
    call_id = err.removeprefix("recorded as ").strip()
    events = [json.loads(event.body) for event in asyncio.run(record(tmp_path / "data", call_id))]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    first, last = events[0]["data"], events[-1]["data"]
    assert (first["carrier"], first["speakers"]) == ("stream", {"inbound": "agent", "outbound": "channel 2"})
    assert (last["reason"], last["duration"], last["flush"]) == ("stopped", 2.0, "complete")
    assert last["counts"]["words"] == len(SCRIPT.words)
    assert last["requests"][0]["request_id"]
    for channel in range(2):
        finals = [e["data"] for e in events if e["type"] == "transcript.final" and e["data"]["channel"] == channel]
        assert [w["word"] for final in finals for w in final["words"]] == [w.word for w in SCRIPT.channels[channel]]
        assert {final["segment_id"].startswith(call_id) for final in finals} == {True}
    recording = asyncio.run(Recordings(tmp_path / "data").open(call_id))
    assert recording.samples == 2 * 8000


@pytest.mark.parametrize("keys", ["one two three", "one two"])
async def test_several_hosts_take_one_key_or_one_each(file, keys):
    told = await command("stream", str(file), "--host", "ws://127.0.0.1:1", "-k", keys, DEEPGRAM_API_KEY="")

    assert (told.status, told.err) == (2, "bridge: there must be one key, or one for each host\n")


async def test_an_address_among_several_that_is_none(file):
    told = await command("stream", str(file), "--host", "ws://127.0.0.1:1 https://x.example", DEEPGRAM_API_KEY="key")

    assert told.status == 2
    assert "must be a wss://" in told.out + told.err
