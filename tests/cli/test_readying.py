"""What is known of a recording before it is transcribed."""

import os
from dataclasses import replace
from pathlib import Path

import av
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.call.imported import Parties
from bridge.cli import readying as module
from bridge.cli.readying import Readying, Wanted
from bridge.cli.recordings import Recording
from bridge.cli.sources import SourceError, open_source
from bridge.deepgram import options
from bridge.egress import Egress
from tests.cli.test_imports import wav
from tests.fakes.running import settings

MADE = 1_795_168_800.0  # 2026-11-20T10:00:00Z


def readying(tmp_path, **wanted):
    (tmp_path / "data" / "imports" / "work").mkdir(parents=True, exist_ok=True)
    configured = settings(tmp_path / "data", "ws://127.0.0.1:1")
    return Readying(configured, Egress({}), Wanted(Parties(), options.parse("language=de"), **wanted))


async def test_a_file_is_described_by_itself(tmp_path):
    file = wav(tmp_path / "talk.wav", seconds=1.5)
    os.utime(file, (MADE, MADE))
    recording = Recording("talk.wav", file)
    work = readying(tmp_path)
    call_id = await work.name(recording)
    ready = await work.ready(call_id, recording)

    assert (ready.call_id, ready.seconds) == (call_id, 1.5)
    started = ready.started
    assert (started.started_at, started.tracks) == ("2026-11-20T10:00:00.000Z", ["inbound", "outbound"])
    assert started.media_format.model_dump() == {"encoding": "pcm_s16le", "sample_rate": 8000, "channels": 2}
    assert started.parameters["recording"] == "talk.wav"
    assert "language=de" in started.parameters["options"]
    assert work.decoded(call_id).exists()
    work.forget(call_id, recording)
    assert file.exists() and not work.decoded(call_id).exists()


@pytest.mark.parametrize(("given", "told"), [(None, "2026-11-19T09:00:00.000Z"), (MADE, "2026-11-20T10:00:00.000Z")])
async def test_its_own_time_goes_over_its_files_and_what_is_given_over_both(tmp_path, given, told):
    file = tmp_path / "talk.mka"
    with av.open(str(wav(tmp_path / "talk.wav", seconds=0.5))) as source, av.open(str(file), "w") as out:
        out.metadata["creation_time"] = "2026-11-19T09:00:00Z"
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux():
            packet.stream = stream
            out.mux(packet)
    ready = await readying(tmp_path, started_at=given).ready("import-1", Recording("talk.mka", file))

    assert ready.started.started_at == told


async def test_a_file_may_be_named_as_a_microphone_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wav(tmp_path / "mic", seconds=0.5)
    assert (await readying(tmp_path).ready("import-1", Recording("mic", Path("mic")))).seconds == 0.5


async def test_the_first_second_of_1970_is_a_time_and_a_year_out_of_range_is_none(tmp_path, monkeypatch):
    recording = Recording("talk.wav", wav(tmp_path / "talk.wav", seconds=0.5))
    ready = await readying(tmp_path, started_at=0.0).ready("import-1", recording)
    assert ready.started.started_at == "1970-01-01T00:00:00.000Z"
    opened = open_source(str(recording.path))
    monkeypatch.setattr(module, "open_source", lambda _: replace(opened, made_at="9999-12-31T23:59:59Z"))
    os.utime(recording.path, (MADE, MADE))
    assert (await readying(tmp_path).ready("import-1", recording)).started.started_at == "2026-11-20T10:00:00.000Z"
    monkeypatch.setattr(module, "YEARS", (0.0, MADE))
    with pytest.raises(SourceError, match="a time that there is not"):
        await readying(tmp_path).ready("import-1", recording)


async def test_what_is_at_an_address_is_fetched_once_and_forgotten_at_the_end(tmp_path):
    app, asked = web.Application(), []
    audio = wav(tmp_path / "talk.wav", seconds=0.5).read_bytes()

    async def give(request):
        asked.append(request.path)
        return web.Response(body=audio if request.path == "/talk.wav" else b"no audio")

    app.router.add_get("/{name}", give)
    work = readying(tmp_path)
    async with TestServer(app, host="127.0.0.1") as server:
        recording = Recording("talk.wav", address=str(server.make_url("/talk.wav")))
        call_id = await work.name(recording)
        assert await work.name(recording) == call_id
        assert (await work.ready(call_id, recording)).seconds == 0.5
        work.forget(call_id, recording)
        bad = Recording("bad.wav", address=str(server.make_url("/bad.wav")))
        with pytest.raises(SourceError, match="^it is no audio that can be decoded$"):
            await work.ready(await work.name(bad), bad)

    assert asked == ["/talk.wav", "/bad.wav"]
    assert len(list((tmp_path / "data" / "imports" / "work").iterdir())) == 1
