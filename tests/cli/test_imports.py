"""`bridge import`, as a user types it."""

import asyncio
import contextlib
import io
import json
import os
import signal
import sys
import wave

import pytest
import typer
from rich.console import Console

from bridge.call.imported import Parties
from bridge.cli.imports import Shown, import_all
from bridge.cli.readying import Wanted
from bridge.cli.recordings import find
from bridge.deepgram import options
from bridge.local.deepgram import Faults, LocalDeepgram
from bridge.local.script import TimedRecognizers, random_script
from bridge.local.vosk import LocalVosk
from bridge.store.audio import Recordings
from bridge.store.base import CallFilter
from bridge.store.sqlite import SQLiteStore
from tests.fakes.command import Told, beside, command, typed
from tests.fakes.running import ROOT, bridge, record, settings

SCRIPT = random_script(20, 4.0)


@pytest.fixture
async def deepgram():
    async with LocalDeepgram(TimedRecognizers(SCRIPT)) as server:
        yield server


@pytest.fixture
def deepgram_beside():
    """The same for a command that is run in the main thread."""
    with beside(LocalDeepgram(TimedRecognizers(SCRIPT))) as server:
        yield server


def wav(path, channels=2, seconds=4.0, mark=0):
    """`mark` makes it another file."""
    with wave.open(str(path), "wb") as talk:
        talk.setnchannels(channels)
        talk.setsampwidth(2)
        talk.setframerate(8000)
        talk.writeframes(bytes([mark, 0]) * round(channels * 8000 * seconds))
    return path


def environment(deepgram, data_dir, **given):
    return {"DEEPGRAM_API_KEY": "key", "DEEPGRAM_URL": deepgram.url, "DATA_DIR": str(data_dir), **given}


@contextlib.asynccontextmanager
async def started(deepgram, data_dir, *arguments, **given):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "import", *map(str, arguments)),
        cwd=ROOT,
        env={**os.environ, **environment(deepgram, data_dir, **given)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def run(deepgram, data_dir, *arguments, **given):
    """Status, what it wrote, and what it complained of."""
    async with started(deepgram, data_dir, *arguments, **given) as process:
        out, err = await asyncio.wait_for(process.communicate(), 60)
        return Told(process.returncode, out.decode(), err.decode())


def run_here(deepgram, data_dir, *arguments, **given):
    """The same without a process."""
    return typed("import", *map(str, arguments), **environment(deepgram, data_dir, **given))


async def calls(data_dir):
    async with SQLiteStore(data_dir) as store:
        return [found.row.id for found in await store.find(CallFilter())]


async def events(data_dir, call_id):
    return [json.loads(event.body) for event in await record(data_dir, call_id)]


def words(events, channel):
    finals = [event["data"] for event in events if event["type"] == "transcript.final"]
    return [word["word"] for final in finals if final["channel"] == channel for word in final["words"]]


def said(channel):
    return [word.word for word in SCRIPT.channels[channel]]


def test_a_recording_with_two_channels_becomes_a_call_like_any_other(deepgram_beside, tmp_path):
    file = wav(tmp_path / "talk.wav")
    who = ("--name", "agent", "--name", "caller", "--from", "+15550100", "--direction", "inbound")
    when = ("--started-at", "2026-11-20T10:00:00Z")
    told = run_here(deepgram_beside, tmp_path / "data", file, *who, *when, "-m", "nova-2", "--recording")

    assert (told.status, told.err) == (0, "")
    (call_id,) = asyncio.run(calls(tmp_path / "data"))
    assert told.out == f"talk.wav: {call_id}, 00:04.0, {len(SCRIPT.words)} words\n"
    happened = asyncio.run(events(tmp_path / "data", call_id))
    assert [event["seq"] for event in happened] == list(range(1, len(happened) + 1))
    assert {event["type"] for event in happened[1:-1]} == {"transcript.final", "utterance.completed"}
    assert (words(happened, 0), words(happened, 1)) == (said(0), said(1))
    first, last = happened[0]["data"], happened[-1]["data"]
    assert (first["carrier"], first["speakers"]) == ("import", {"inbound": "agent", "outbound": "caller"})
    assert (first["from"], first["direction"], first["started_at"]) == (
        "+15550100",
        "inbound",
        "2026-11-20T10:00:00.000Z",
    )
    assert first["parameters"]["recording"] == "talk.wav"
    assert (last["duration"], last["flush"], last["missing"], last["uncovered"]) == (4.0, "complete", 0.0, [])
    assert last["counts"]["words"] == len(SCRIPT.words)
    assert last["requests"][0]["request_id"]
    assert {event["data"]["source"] for event in happened if event["type"] == "transcript.final"} == {"backfill"}
    recording = asyncio.run(Recordings(tmp_path / "data").open(call_id))
    assert recording.samples == 4 * 8000
    assert [path.name for path in (tmp_path / "data" / "imports").iterdir()] == ["work"]


async def test_killed_and_run_again_it_goes_on_and_skips_what_it_has(deepgram, tmp_path):
    """Two recordings, of which the second is waited for when the process is killed; then a server has the store."""
    folder = tmp_path / "calls"
    folder.mkdir()
    wav(folder / "1.wav", mark=1)
    wav(folder / "2.wav", mark=2)
    (folder / "notes.txt").write_text("no audio")
    arguments = [folder, "--at-once", 1]
    async with started(deepgram, tmp_path / "data", *arguments) as process, asyncio.timeout(30):
        while not deepgram.requests:
            await asyncio.sleep(0.01)
        deepgram.faults = Faults(stop_answering_after=0.0)  # of the second
        while len(deepgram.requests) < 2:
            await asyncio.sleep(0.01)
        process.kill()
    deepgram.faults = Faults()
    (first,) = await calls(tmp_path / "data")

    async with bridge(settings(tmp_path / "data", deepgram.url)):
        told = await run(deepgram, tmp_path / "data", *arguments)

    second, also_first = await calls(tmp_path / "data")
    assert also_first == first
    assert (told.status, told.err) == (0, "1 other file is left out.\n")
    assert told.out.splitlines() == [
        f"1.wav is in the record already: {first}",
        f"2.wav: {second}, 00:04.0, {len(SCRIPT.words)} words",
    ]
    for call_id in (first, second):
        assert words(await events(tmp_path / "data", call_id), 1) == said(1)


async def test_ctrl_c_says_what_is_left(deepgram, tmp_path, capsys):
    deepgram.faults = Faults(stop_answering_after=0.0)
    configured = settings(tmp_path / "data", deepgram.url)
    found, _ = find([str(wav(tmp_path / "talk.wav"))], configured.bridge_twilio_api)
    running = asyncio.ensure_future(import_all(configured, found, Wanted(Parties(), options.parse(""))))
    async with asyncio.timeout(60):
        while not deepgram.requests:
            await asyncio.sleep(0.005)
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(typer.Exit) as stopped:
        await running

    assert stopped.value.exit_code == 130
    assert capsys.readouterr().err == "Stopped after 0; the same command goes on from here.\n"


async def test_what_cannot_be_imported_is_the_status(deepgram, tmp_path, capsys):
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    configured = settings(tmp_path / "data", deepgram.url)
    found, _ = find([str(tmp_path / "bad.wav")], configured.bridge_twilio_api)
    with pytest.raises(typer.Exit) as ended:
        await import_all(configured, found, Wanted(Parties(), options.parse("")))

    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == "bad.wav is not imported: bad.wav is no audio that can be decoded\n"


def test_on_a_terminal_it_shows_how_far_it_is():
    written, complained = io.StringIO(), io.StringIO()
    console = Console(file=written, force_terminal=True, width=100, color_system=None)
    shown = Shown(console, Console(file=complained, width=100))
    with shown.showing(3):
        shown.transcribed(61.0)
        shown.transcribed(9.0)
        shown.known("a.wav", "import-1")
        shown.imported("b.wav", "import-2", 70.0, 1)
        for _ in range(2):
            shown.waits("TOO_MANY_REQUESTS (request r1)")
        shown.broken("c.mp3", 2)

    assert "a.wav is in the record already: import-1\n" in written.getvalue()
    assert "b.wav: import-2, 01:10.0, 1 word\n" in written.getvalue()
    assert "2/3" in written.getvalue() and "01:10.0 transcribed" in written.getvalue()
    assert complained.getvalue() == (
        "waiting for Deepgram: TOO_MANY_REQUESTS (request r1)\nc.mp3: 2 packets of its audio could not be decoded\n"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("none.wav",), "there is no none.wav"),
        (("empty",), "there is no recording"),
        (("a.wav", "--option", "x"), "--option takes name=value"),
        (("a.wav", "--started-at", "noon"), "--started-at takes a time such as"),
        (("a.wav", "--started-at", "9999-12-31T23:59:59Z"), "--started-at takes a time such as"),
        (("a.wav", "--started-at", "0001-01-01T00:00:00"), "--started-at takes a time such as"),
        (("a.wav", "--webhook"), "--webhook needs WEBHOOK_URL"),
        (("a.wav", "--direction", "up"), "is not one of 'inbound', 'outbound'"),
        (("a.wav", "--host", "https://api.deepgram.com"), "must be a wss:// or ws:// URL"),
        ((), "Missing argument"),
    ],
)
async def test_what_cannot_be(tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.wav").touch()
    told = await command("import", *arguments, DEEPGRAM_API_KEY="key", WEBHOOK_URL="")

    assert told.status == 2
    assert sentence in " ".join((told.out + told.err).replace("│", " ").split())


async def test_without_a_key(tmp_path):
    told = await command("import", str(tmp_path), DEEPGRAM_API_KEY="")
    assert (told.status, told.err) == (2, "bridge: set DEEPGRAM_API_KEY: Deepgram transcribes the recordings\n")


def test_at_a_vosk_server_without_a_key(deepgram_beside, tmp_path):
    path = str(wav(tmp_path / "talk.wav"))
    with beside(LocalVosk(TimedRecognizers(SCRIPT))) as server:
        given = {"DEEPGRAM_API_KEY": "", "DEEPGRAM_URL": "wss://api.deepgram.com", "BRIDGE_VOSK_URL": server.url}
        told = run_here(deepgram_beside, tmp_path / "data", path, **given)
    refused = typed("import", path, "--host", "wss://api.deepgram.com", **given)

    assert (told.status, told.err) == (0, "")
    (call_id,) = asyncio.run(calls(tmp_path / "data"))
    made = asyncio.run(events(tmp_path / "data", call_id))
    assert words(made, 0) == words(made, 1) == said(0)  # each socket is told the same
    assert (refused.status, refused.err) == (
        2,
        "bridge: --host is for Deepgram, and with BRIDGE_VOSK_URL nothing goes there\n",
    )


def test_a_server_of_ones_own_needs_no_key(deepgram_beside, tmp_path):
    told = run_here(deepgram_beside, tmp_path, wav(tmp_path / "a.wav"), DEEPGRAM_API_KEY="")
    assert (told.status, told.err) == (0, "")
