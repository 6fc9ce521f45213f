"""What is asked of a call that goes on, with all around it: the store, the kept audio, the local Deepgram."""

import asyncio
import json
import shutil

import pytest

from bridge.audio import SAMPLE_RATE
from bridge.call import Call, ContinuityPolicy
from bridge.call import control as control_module
from bridge.call.control import Keys, NotAnswered, NotNow, NotTaken
from bridge.call.recovery import Recovery
from bridge.carriers.messages import Digit, Media
from bridge.deepgram.configuring import Configuration, Configured
from bridge.deepgram.messages import finalize
from bridge.errors import ConfigError
from bridge.local.deepgram import Faults
from bridge.local.script import CodedRecognizers
from bridge.local.vosk import LocalVosk
from bridge.store.audio import AudioStore
from bridge.store.base import Query
from bridge.store.sqlite import SQLiteStore
from tests.fakes import pattern
from tests.fakes.calls import NOW, TRACKS, services, started
from tests.fakes.running import AUDIO, SCRIPT
from tests.fakes.stereo import deinterleave
from tests.fakes.waiting import until

FROM, LATER, TO = 5.76, 5.78, 7.5
"""Seconds: neither channel says anything then."""
SECRET = tuple(pattern.marked(len(track)) for track in AUDIO)


def given(store, server, clock, **policy):
    made = services(store, server, clock, continuity=ContinuityPolicy(grace=10.0))
    for name, value in policy.items():
        object.__setattr__(made.policy, name, value)
    return made


@pytest.fixture
async def call(store, server, clock, tmp_path):
    """Opened, with its audio kept for good; ended and closed afterwards."""
    keys = Keys(pause="*", resume="#")
    async with AudioStore(tmp_path, limit=2**30, keep=True) as audio:
        call = Call("CA1", started(), given(store, server, clock, keys=keys), audio=audio.open("CA1"))
        call.attach(started())
        yield call
        if call.reason is None:
            call.end("stopped")
            call.let_go()
            await call.wait_over()


def speak(call, clock, start, end, said=AUDIO):
    """Both tracks in real time, from one moment to another in seconds."""
    (stream,) = call.streams.values()
    for offset in range(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE), 160):
        clock.time = NOW + (offset + 160) / SAMPLE_RATE
        for place, (track, audio) in enumerate(zip(TRACKS, said, strict=True)):
            number = 2 + offset // 80 + place
            stream.receive(Media(track, 100 + offset // 8, number, audio[offset : offset + 160]))


async def over(call, reason="stopped"):
    call.end(reason)
    async with asyncio.timeout(60):
        await call.wait_over()


async def events(store, *kinds):
    return [json.loads(event.body) for event in await store.read(Query("CA1", kinds), limit=1000)]


async def datas(store, *kinds):
    return [event["data"] for event in await events(store, *kinds)]


async def heard(store):
    """The words of finals, by channel."""
    finals = await datas(store, "transcript.final")
    return [
        [(word["word"], word["start"]) for final in finals if final["channel"] == channel for word in final["words"]]
        for channel in range(2)
    ]


def spoken(start=FROM, end=TO):
    """The words outside of these moments."""
    return [
        [(word.word, pytest.approx(word.start, abs=0.002)) for word in words if word.end <= start or word.start >= end]
        for words in SCRIPT.channels
    ]


def gap(track, start, end):
    return {"track": track, "from": start, "to": end, "missing": round(end - start, 3), "why": "paused"}


async def test_what_is_said_without_a_pause_is_found_in_all_that_is_looked_at(call, server, clock, tmp_path):
    await until(lambda: server.connections)
    speak(call, clock, 0.0, 1.0, SECRET)
    await over(call)

    assert pattern.is_in(server.connections[0].audio)
    assert pattern.files_with(tmp_path) == ["000000000000.ulaw"]


async def test_what_is_said_in_a_pause_stands_nowhere(call, store, server, clock, tmp_path):
    speak(call, clock, 0.0, FROM)
    call.control.pause("api")
    speak(call, clock, FROM, TO, SECRET)
    assert call.control.paused_at == FROM
    call.control.resume("page")
    speak(call, clock, TO, 12.0)
    await over(call)

    assert not pattern.is_in(server.connections[0].audio)
    assert pattern.files_with(tmp_path) == []
    recording = next((tmp_path / "recordings" / "CA1").glob("*.ulaw")).read_bytes()
    assert len(recording) == 2 * 12 * SAMPLE_RATE
    for channel in deinterleave(recording):
        assert not channel[round(FROM * SAMPLE_RATE) : round((TO + 0.01) * SAMPLE_RATE)].strip(b"\xff")
    assert await heard(store) == spoken()
    told = await events(store, "pause.started", "pause.ended", "audio.gap")
    assert [(event["type"], event["data"]) for event in told] == [
        ("pause.started", {"at": FROM, "by": "api"}),
        ("pause.ended", {"at": 7.51, "by": "page"}),
        ("audio.gap", gap("inbound", FROM, 7.51)),
        ("audio.gap", gap("outbound", FROM, 7.51)),
    ]
    (end,) = await datas(store, "call.ended")
    assert (end["flush"], end["missing"], end["uncovered"], end["duration"]) == ("complete", 0.0, [], 12.0)
    assert end["counts"]["deepgram_sockets"] == 1
    assert end["figures"]["longest_silence"] < TO - FROM


async def test_what_was_said_before_a_pause_gets_its_final_at_once(call, store, server, clock):
    await until(lambda: server.connections)
    speak(call, clock, 0.0, 2.0)
    call.control.pause("api")
    speak(call, clock, 2.0, 2.1, SECRET)

    await until(lambda: finalize(1) in server.connections[0].texts)
    assert server.connections[0].texts[-2:] == [finalize(0), finalize(1)]
    assert len(server.connections[0].audio) <= 2 * 2.1 * SAMPLE_RATE


async def test_a_pause_that_is_asked_for_twice_is_one(call, store, clock):
    speak(call, clock, 0.0, 1.0)
    for by in ("api", "page"):
        call.control.pause(by)
    speak(call, clock, 1.0, 1.5, SECRET)
    for by in ("page", "api"):
        call.control.resume(by)
    call.control.resume("api")
    await call.control.written()

    told = await events(store, "pause.started", "pause.ended")
    assert [(event["type"], event["data"]["by"]) for event in told] == [
        ("pause.started", "api"),
        ("pause.ended", "page"),
    ]


async def test_a_pause_that_is_over_and_its_place_in_the_call_are_kept_together(call, store, clock, monkeypatch):
    kept, append = [], store.append
    speak(call, clock, 0.0, 1.0)
    call.control.pause("api")
    await call.control.written()
    monkeypatch.setattr(store, "append", lambda *events: kept.append(events[0]) or append(*events))
    speak(call, clock, 1.0, 2.0)
    call.control.resume("api")

    assert [[event.data.type for event in events] for events in kept if events] == [
        ["pause.ended", "audio.gap", "audio.gap"]
    ]


async def test_a_call_that_ends_in_a_pause_tells_of_it_before_its_end(call, store, clock, tmp_path):
    speak(call, clock, 0.0, FROM)
    call.control.pause("api")
    speak(call, clock, FROM, 7.0, SECRET)
    call.end("stopped")
    with pytest.raises(NotNow, match="the call is over"):  # though its last words are still awaited
        call.control.resume("api")
    await over(call)

    told = await events(store)
    gaps = [event["data"] for event in told if event["type"] == "audio.gap"]
    assert gaps == [gap(track, FROM, 7.0) for track in TRACKS]
    assert (told[-1]["type"], told[-1]["data"]["missing"]) == ("call.ended", 0.0)
    assert pattern.files_with(tmp_path) == []


async def test_a_carriers_own_gap_is_told_outside_of_a_pause_only(call, store, clock):
    speak(call, clock, 0.0, 1.0)
    clock.time = NOW + 1.5
    call.control.pause("api")  # where the audio ends that has come
    clock.time = NOW + 3.0
    call.control.resume("api")
    speak(call, clock, 4.0, 6.0)
    await over(call)

    gaps = [(data["from"], data["to"], data["why"]) for data in await datas(store, "audio.gap")]
    assert sorted(gaps) == [(1.0, 3.01, "paused")] * 2 + [(3.01, 4.0, "lost")] * 2


@pytest.mark.parametrize("reconnects", [True, False])
async def test_deepgrams_outage_in_a_pause_leaves_nothing_of_it_to_be_transcribed(
    call, store, server, clock, reconnects
):
    await until(lambda: server.connections)
    speak(call, clock, 0.0, FROM)
    call.control.pause("api")
    server.faults = Faults() if reconnects else Faults(refuse=400)
    server.connections[0].drop()
    await until(lambda: call.interrupted)
    speak(call, clock, FROM, TO, SECRET)
    call.control.resume("api")
    if reconnects:
        await until(lambda: len(server.connections) > 1 and not call.interrupted)
        speak(call, clock, TO, 12.0)
    await over(call)

    (end,) = await datas(store, "call.ended")
    assert all(part["to"] <= FROM or part["from"] >= TO for part in end["uncovered"])
    if reconnects:
        assert (await heard(store), end["missing"]) == (spoken(), 0.0)
    assert not any(pattern.is_in(connection.audio) for connection in server.connections)


async def test_keys_pause_and_go_on_and_those_in_between_are_told_to_no_one(call, store, clock):
    (stream,) = call.streams.values()
    speak(call, clock, 0.0, 1.0)
    for key in "1*":
        stream.receive(Digit("inbound", key))
    assert call.control.paused_at == 1.0
    speak(call, clock, 1.0, 2.0, SECRET)
    for key in "4*1":
        stream.receive(Digit("inbound", key))
    stream.receive(Digit("outbound", "#"))
    assert call.control.paused_at is None
    stream.receive(Digit("inbound", "2"))
    await over(call)
    stream.receive(Digit("inbound", "3"))

    told = await events(store, "dtmf.received", "pause.started", "pause.ended")
    assert [event["data"].get("digit") or event["data"]["by"] for event in told] == ["1", "*", "key", "key", "2"]
    assert call.counts["digits_paused"] == 3


async def test_without_a_setting_no_key_does_anything(store, server, clock):
    call = Call("CA1", started(), given(store, server, clock))
    stream = call.attach(started())
    stream.receive(Digit("inbound", "*"))

    assert call.control.paused_at is None
    await over(call)


async def test_finalize_asks_for_what_has_been_said(call, server, clock):
    await until(lambda: server.connections)
    speak(call, clock, 0.0, 3.0)
    call.control.finalize()

    await until(lambda: server.connections[0].texts[-2:] == [finalize(0), finalize(1)])


async def test_what_a_recognizer_can_never_do_is_refused(store, clock):
    async with LocalVosk(CodedRecognizers(SCRIPT)) as vosk:
        call = Call("CA1", started(), given(store, vosk, clock, vosk_request=""))
        call.attach(started())
        with pytest.raises(ConfigError, match="settles nothing when it is asked to"):
            call.control.finalize()
        with pytest.raises(ConfigError, match="takes no changes while it goes on"):
            await call.control.configure(Configuration(numerals=True), "api")
        await over(call)


async def test_stop_ends_the_transcription_with_its_last_words(call, store, clock):
    speak(call, clock, 0.0, 12.0)
    call.control.stop()
    await call.wait_over()

    assert (await datas(store, "call.ended"))[0]["reason"] == "stop_requested"
    assert await heard(store) == spoken(0.0, 0.0)


async def test_options_are_changed_on_this_socket_and_on_the_next(call, store, server, clock):
    names = Configuration(("Acme",), numerals=True)
    await until(lambda: server.connections)
    speak(call, clock, 0.0, 1.0)
    await asyncio.gather(call.control.configure(names, "api"), answered(call, clock))
    await call.control.written()
    (told,) = await datas(store, "transcription.configured")
    assert told.pop("request_id") == server.connections[0].request_id
    assert told == {"keyterms": ["Acme"], "numerals": True, "at": 1.02, "by": "api"}

    server.connections[0].drop()
    await until(lambda: len(server.connections) > 1)
    await until(lambda: names.message in server.connections[1].texts)
    speak(call, clock, 1.02, 2.0)
    await until(lambda: not call.interrupted)
    await call.control.written()
    assert len(await datas(store, "transcription.configured")) == 1


async def answered(call, clock):
    """Audio goes on: a change goes out with it."""
    speak(call, clock, 1.0, 1.02)


async def test_one_change_at_a_time(call, server, clock):
    server.faults = Faults(stop_answering_after=0.0)
    await until(lambda: call.control._client.session.request_id)
    one = asyncio.ensure_future(call.control.configure(Configuration(numerals=True), "api"))
    await asyncio.sleep(0)

    with pytest.raises(NotNow, match="Deepgram has not answered another change yet"):
        await call.control.configure(Configuration(numerals=False), "api")
    one.cancel()


async def test_a_change_without_an_answer_is_known_to_be_unknown(call, store, server, monkeypatch):
    monkeypatch.setattr(control_module, "PATIENCE", 0.01)
    server.faults = Faults(stop_answering_after=0.0)
    wanted = Configuration(numerals=True)

    with pytest.raises(NotAnswered, match="it may have changed this, or not"):
        await call.control.configure(wanted, "api")
    call.control.configured(Configured(wanted, "r1"))  # late
    await call.control.written()
    assert (await datas(store, "transcription.configured"))[0]["request_id"] == "r1"


async def test_deepgrams_refusal_comes_back_in_its_words(call, store, server):
    server.faults = Faults(stop_answering_after=0.0)
    wanted = Configuration(numerals=True)
    asked = asyncio.ensure_future(call.control.configure(wanted, "api"))
    await asyncio.sleep(0)
    call.control.configured(Configured(wanted, "r1", "CONFIGURE_INTERNAL_ERROR: sorry"))

    with pytest.raises(NotTaken, match="Deepgram refuses: CONFIGURE_INTERNAL_ERROR: sorry"):
        await asked
    assert await datas(store, "transcription.configured") == []


async def test_what_deepgram_takes_no_more_is_logged(call, caplog):
    refused = Configured(Configuration(numerals=True), None, "CONFIGURE_INTERNAL_ERROR", again=True)
    call.control.configured(refused)

    assert [record.reason for record in caplog.records] == ["CONFIGURE_INTERNAL_ERROR"]


async def test_what_cannot_work_is_not_asked_for(call):
    with pytest.raises(ConfigError, match="a keyterm is empty"):
        await call.control.configure(Configuration((" ",)), "api")


async def test_nothing_is_changed_while_deepgram_is_away(call, server):
    server.faults = Faults(refuse=429)
    await until(lambda: server.connections)
    server.connections[0].drop()
    await until(lambda: call.interrupted)

    with pytest.raises(NotNow, match="Deepgram does not hear the call"):
        await call.control.configure(Configuration(numerals=True), "api")


async def test_another_process_goes_on_in_the_pause_and_with_the_changes(store, server, clock, tmp_path):
    """The one before is gone without a word, as after kill -9: only what was durable is there."""
    async with AudioStore(tmp_path, limit=2**30, keep=True) as audio:
        gone = Call("CA1", started(), given(store, server, clock), audio=audio.open("CA1"))
        gone.attach(started())
        await until(lambda: server.connections)
        speak(gone, clock, 0.0, FROM)
        await asyncio.gather(gone.control.configure(Configuration(("Acme",)), "api"), still(gone, clock))
        gone.control.pause("key")
        await gone.control.written()
        speak(gone, clock, LATER, 6.5, SECRET)
        async with asyncio.timeout(60):
            while await heard(store) != spoken(FROM, 12.0):
                await asyncio.sleep(0.01)
        await audio.flush()
        shutil.copytree(tmp_path, tmp_path / "left")
        await over(gone)
    left = tmp_path / "left"
    async with SQLiteStore(left) as store, AudioStore(left, limit=2**30, keep=True) as audio:
        adopted = await Recovery(store, audio).adopt("CA1")
        assert all(part.to <= LATER for part in adopted.past.uncovered)  # silence without a final, at most
        call = Call("CA1", started(), given(store, server, clock), audio=adopted.audio, past=adopted.past)
        assert call.control.paused_at == LATER
        call.attach(started(stream="MZ2"))
        speak(call, clock, 7.0, TO, SECRET)
        call.control.resume("api")
        await until(lambda: Configuration(("Acme",)).message in server.connections[-1].texts)
        speak(call, clock, TO, 12.0)
        await over(call)
        gaps, words = await datas(store, "audio.gap"), await heard(store)

    assert gaps == [gap(track, LATER, 7.51) for track in TRACKS]
    assert words == spoken()
    assert pattern.files_with(tmp_path) == []
    assert not any(pattern.is_in(connection.audio) for connection in server.connections)


async def still(call, clock):
    speak(call, clock, FROM, LATER)


async def test_before_any_audio_a_call_can_be_paused_from_its_start(call, store, clock, tmp_path):
    call.control.pause("api")
    speak(call, clock, 0.0, 1.0, SECRET)
    call.control.resume("api")
    speak(call, clock, 1.0, 2.0)
    await over(call)

    assert [data["from"] for data in await datas(store, "audio.gap")] == [0.0, 0.0]
    assert pattern.files_with(tmp_path) == []


async def test_a_call_that_waits_for_its_stream_in_another_process_can_be_paused(store, server, clock, tmp_path):
    before = Call("CA1", started(), given(store, server, clock))
    before.attach(started())
    speak(before, clock, 0.0, 1.0)
    before.leave()
    before.let_go()
    await before.wait_over()
    await store.release("CA1")
    adopted = await Recovery(store, None).adopt("CA1")
    call = Call("CA1", started(), given(store, server, clock), past=adopted.past)
    call.control.pause("api")
    call.control.finalize()

    with pytest.raises(NotNow, match="Deepgram does not hear the call"):
        await call.control.configure(Configuration(numerals=True), "api")
    clock.time += 3.0
    call.control.resume("api")
    await over(call)
    ends = await datas(store, "pause.ended")
    assert [data["at"] for data in ends] == [4.01]
