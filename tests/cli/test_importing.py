"""One run of an import: what comes in, what is left out, and what stays for the next run."""

import asyncio
from dataclasses import replace

import pytest

from bridge.call.imported import Parties
from bridge.cli.importing import ImportFailed, Importing
from bridge.cli.readying import Wanted
from bridge.cli.recordings import Recording, content_id, find
from bridge.deepgram import options
from bridge.egress import Egress
from bridge.local.deepgram import Faults, LocalDeepgram
from bridge.local.receiver import Receiver
from bridge.local.script import TimedRecognizers, random_script
from bridge.local.vosk import LocalVosk
from bridge.policies import backfill_policy
from bridge.store.audio import Recordings
from tests.cli.test_imports import calls, events, said, wav, words
from tests.cli.test_sources import encoded
from tests.fakes.running import WEBHOOK_SECRET, bridge, settings
from tests.fakes.twilio_rest import ACCOUNT, AUTH_TOKEN, FakeTwilioRest
from tests.twiml.test_recordings import CALL, SID

SCRIPT = random_script(20, 4.0)
EGRESS = Egress({})


@pytest.fixture
async def deepgram():
    async with LocalDeepgram(TimedRecognizers(SCRIPT)) as server:
        yield server


class Heard:
    """What was told."""

    def __init__(self):
        self.lines, self.seconds, self.reasons = [], [], []
        self.waited = asyncio.Event()

    def imported(self, name, call_id, seconds, words):
        self.lines.append((name, "imported", call_id, seconds, words))

    def known(self, name, call_id):
        self.lines.append((name, "known", call_id))

    def failed(self, name, reason):
        self.lines.append((name, "failed", reason))

    def broken(self, name, packets):
        self.lines.append((name, "broken", packets))

    def transcribed(self, seconds):
        self.seconds.append(seconds)

    def waits(self, reason):
        self.reasons.append(reason)
        self.waited.set()


def importing(deepgram, data_dir, *, policy=None, configured=None, **wanted):
    configured = configured or settings(data_dir, deepgram.url)
    policy = replace(backfill_policy(configured), first_pause=0.01, longest_pause=0.01, **(policy or {}))
    given = {"parties": Parties(), "options": options.parse(""), "patience": 5.0, **wanted}
    return Importing(configured, EGRESS, policy, Wanted(**given), Heard())


async def run(work, *recordings):
    """Whether it came to its end, and what was told."""
    return await work.run(recordings, asyncio.Event()), work._told.lines


def named(path):
    return Recording(path.name, path)


async def test_one_channel_is_one_speaker_and_goes_out_as_one(deepgram, tmp_path):
    work = importing(deepgram, tmp_path, options=options.parse("diarize=true"))
    _, ((_, _, call_id, seconds, count),) = await run(work, named(wav(tmp_path / "a.wav", channels=1)))
    happened = await events(tmp_path, call_id)

    assert (seconds, count) == (4.0, len(said(0)))
    assert (words(happened, 0), words(happened, 1)) == (said(0), [])
    assert happened[0]["data"]["speakers"] == {"inbound": "speaker"}
    assert happened[0]["data"]["tracks"] == ["inbound"]
    assert happened[0]["data"]["parameters"]["options"].startswith("model=nova-3&")
    assert ("diarize", "true") in deepgram.requests[0].query
    assert list((tmp_path / "imports" / "work").glob("*.pcm")) == []
    assert work.counts.imported == 1


async def test_the_same_recording_twice_is_one_call(deepgram, tmp_path):
    first, again = named(wav(tmp_path / "a.wav")), named(wav(tmp_path / "b.wav"))
    _, told = await run(importing(deepgram, tmp_path), first, again)

    assert [(name, what) for name, what, *_ in told] == [("a.wav", "imported"), ("b.wav", "known")]
    assert len(await calls(tmp_path)) == len(deepgram.requests) == 1


async def test_what_is_the_same_as_one_that_fails_is_not_said_to_be_in_the_record(deepgram, tmp_path):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(b"no audio at all")
    work = importing(deepgram, tmp_path)
    _, told = await run(work, named(tmp_path / "a.wav"), named(tmp_path / "b.wav"))

    assert [(name, what) for name, what, *_ in told] == [("a.wav", "failed"), ("b.wav", "failed")]
    assert told[1][2] == "it is the same as a.wav" and work.counts.failed == 2


async def test_what_is_no_audio_does_not_cost_the_others(deepgram, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"no audio at all")
    none = Recording("none.wav", tmp_path / "none.wav")
    whole, told = await run(
        importing(deepgram, tmp_path), none, named(tmp_path / "bad.wav"), named(wav(tmp_path / "a.wav"))
    )

    assert whole
    assert sorted(told)[1:] == [
        ("bad.wav", "failed", "bad.wav is no audio that can be decoded"),
        ("none.wav", "failed", "none.wav cannot be read: No such file or directory"),
    ]
    assert len(await calls(tmp_path)) == 1


async def test_what_is_damaged_comes_in_and_is_said(deepgram, tmp_path):
    file = encoded(tmp_path / "a.mp3", "mp3")
    file.write_bytes(file.read_bytes() + b"rubbish behind it" * 50)
    _, told = await run(importing(deepgram, tmp_path), named(file))
    assert [(name, what) for name, what, *_ in told] == [("a.mp3", "broken"), ("a.mp3", "imported")]


async def test_a_vosk_server_hears_them_in_deepgrams_place(deepgram, tmp_path):
    async with LocalVosk(TimedRecognizers(SCRIPT)) as vosk:
        configured = settings(tmp_path, deepgram.url, bridge_vosk_url=vosk.url)
        _, ((_, _, call_id, *_),) = await run(
            importing(deepgram, tmp_path, configured=configured), named(wav(tmp_path / "a.wav"))
        )
    happened = await events(tmp_path, call_id)
    assert words(happened, 0) == said(0)
    assert deepgram.requests == []


async def test_a_recording_that_deepgram_refuses_is_said_in_its_words_and_the_next_goes_on(deepgram, tmp_path):
    deepgram.faults = Faults(refuse=400, first=1)
    work = importing(deepgram, tmp_path, at_once=1)
    whole, told = await run(work, named(wav(tmp_path / "a.wav", mark=1)), named(wav(tmp_path / "b.wav", mark=2)))

    assert whole and (work.counts.failed, work.counts.imported) == (1, 1)
    assert told[0][:2] == ("a.wav", "failed")
    assert told[0][2].startswith("Deepgram refuses it: Bad Request") and "(request " in told[0][2]
    _, told = await run(importing(deepgram, tmp_path), named(tmp_path / "a.wav"))
    assert told[0][1] == "imported", "it is tried again"
    assert {event["type"] for event in await events(tmp_path, told[0][2])} <= {
        *("call.started", "transcript.final", "utterance.completed", "call.ended")
    }


async def test_a_key_that_is_refused_ends_it_at_once(deepgram, tmp_path):
    deepgram.faults = Faults(refuse=401)
    with pytest.raises(ImportFailed, match=r"Deepgram refuses it: INVALID_AUTH.*\(request "):
        await run(importing(deepgram, tmp_path, patience=600.0), named(wav(tmp_path / "a.wav")))


async def test_a_deepgram_that_stays_away_ends_it(deepgram, tmp_path):
    deepgram.faults = Faults(refuse=503)
    with pytest.raises(ImportFailed, match="Deepgram does not transcribe now: "):
        await run(importing(deepgram, tmp_path, patience=0.0), named(wav(tmp_path / "a.wav")))


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_deepgram_is_waited_for(deepgram, tmp_path, status):
    deepgram.faults = Faults(refuse=status, first=2)
    work = importing(deepgram, tmp_path)
    _, told = await run(work, named(wav(tmp_path / "a.wav")))

    assert told[0][1] == "imported"
    assert len(work._told.reasons) == 2


async def test_a_stop_leaves_what_is_transcribed_for_the_next_run(deepgram, tmp_path):
    """Of a recording in two pieces, the first."""
    file = named(wav(tmp_path / "a.wav", seconds=8.0))
    work = importing(deepgram, tmp_path, policy={"longest": 5 * 8000})
    stop = asyncio.Event()
    running = asyncio.ensure_future(work.run([file], stop))
    async with asyncio.timeout(60):
        while not work._told.seconds:
            await asyncio.sleep(0.005)
            deepgram.faults = Faults(refuse=503, first=None) if deepgram.requests else Faults()
        await work._told.waited.wait()
    stop.set()
    assert not await running
    assert await calls(tmp_path) == []
    deepgram.faults = Faults()
    asked = len(deepgram.requests)
    again = importing(deepgram, tmp_path, policy={"longest": 5 * 8000})
    _, told = await run(again, file)

    assert told[0][1] == "imported"
    assert len(deepgram.requests) == asked + 1
    assert sum(work._told.seconds + again._told.seconds) == 8.0
    requests = (await events(tmp_path, told[0][2]))[-1]["data"]["requests"]
    assert [request["start"] for request in requests] == [0.0, work._told.seconds[0]]


async def test_what_a_run_has_left_behind_after_its_last_step_is_tidied(deepgram, tmp_path):
    file = named(wav(tmp_path / "a.wav"))
    _, ((_, _, call_id, *_),) = await run(importing(deepgram, tmp_path), file)
    (tmp_path / "imports" / "work" / f"{call_id}.pcm").touch()
    _, told = await run(importing(deepgram, tmp_path), file)

    assert told == [("a.wav", "known", call_id)]
    assert list((tmp_path / "imports" / "work").glob("*.pcm")) == []
    assert (tmp_path / "imports").stat().st_mode & 0o777 == 0o700


async def test_a_folder_that_cannot_be_used_is_said(deepgram, tmp_path):
    (tmp_path / "imports").write_text("a file")
    with pytest.raises(ImportFailed, match="cannot use .*imports: File exists"):
        await run(importing(deepgram, tmp_path), named(wav(tmp_path / "a.wav")))


async def test_a_folder_that_takes_nothing_is_said_of_each(deepgram, tmp_path):
    (tmp_path / "imports" / "work").mkdir(parents=True)
    file = named(wav(tmp_path / "a.wav"))
    work = importing(deepgram, tmp_path)
    work._readying.decoded(content_id(file.path)).with_suffix(".decoding").mkdir()
    _, told = await run(work, file)

    assert told == [("a.wav", "failed", "decoded audio cannot be kept: Is a directory")]


async def test_other_parties_begin_it_again(deepgram, tmp_path):
    file = named(wav(tmp_path / "a.wav"))
    deepgram.faults = Faults(refuse=503)
    with pytest.raises(ImportFailed):
        await run(importing(deepgram, tmp_path, patience=0.0), file)
    deepgram.faults = Faults()
    _, told = await run(importing(deepgram, tmp_path, parties=Parties(names=["Ann"])), file)

    assert (await events(tmp_path, told[0][2]))[0]["data"]["speakers"]["inbound"] == "Ann"


async def test_a_twilio_recording_comes_with_its_call(deepgram, tmp_path):
    said = {"sid": SID, "call_sid": CALL, "channels": 2, "start_time": "Fri, 20 Nov 2026 10:00:00 +0000"}
    call = {"from": "+15550001", "to": "+15550002", "direction": "inbound"}
    audio = wav(tmp_path / "a.wav").read_bytes()
    async with FakeTwilioRest(recordings={SID: (said, audio)}, call_details={CALL: call}) as twilio:
        configured = settings(
            tmp_path,
            deepgram.url,
            twilio_account_sid=ACCOUNT,
            twilio_auth_token=AUTH_TOKEN,
            bridge_twilio_api=twilio.url,
        )
        found, _ = find([f"{twilio.url}/2010-04-01/Accounts/{ACCOUNT}/Recordings/{SID}"], twilio.url)
        await run(importing(deepgram, tmp_path, configured=configured), *found)
        asked = len(twilio.asked)
        _, again = await run(importing(deepgram, tmp_path, configured=configured), *found)
        assert len(twilio.asked) == asked, "it is known by its id"

    assert again == [(SID, "known", f"import-{SID}")]
    first = (await events(tmp_path, f"import-{SID}"))[0]["data"]
    assert (first["from"], first["to"], first["direction"]) == ("+15550001", "+15550002", "inbound")
    assert first["speakers"] == {"inbound": "caller", "outbound": "callee"}
    assert (first["started_at"], first["parameters"]["call_sid"]) == ("2026-11-20T10:00:00.000Z", CALL)
    assert [
        path.name for path in (tmp_path / "imports" / "work").glob("*.*") if not path.name.startswith("bridge.")
    ] == []


async def test_by_a_flag_a_running_bridge_delivers_it_and_keeps_the_audio(deepgram, tmp_path):
    async with Receiver(WEBHOOK_SECRET) as receiver:
        configured = settings(tmp_path, deepgram.url, webhook_url=receiver.url, webhook_secret=WEBHOOK_SECRET)
        async with bridge(configured):
            quiet, loud = named(wav(tmp_path / "a.wav", mark=1)), named(wav(tmp_path / "b.wav", mark=2))
            await run(importing(deepgram, tmp_path, configured=configured), quiet)
            work = importing(deepgram, tmp_path, configured=configured, deliver=True, keep=True)
            _, ((_, _, call_id, *_),) = await run(work, loud)
            await receiver.until(lambda: [e["type"] for e in receiver.events(call_id)][-1:] == ["call.ended"])

    assert receiver.events(call_id) == await events(tmp_path, call_id)
    ids = await calls(tmp_path)
    assert [len(receiver.events(each)) > 0 for each in ids] == [True, False]
    assert [await Recordings(tmp_path).open(each) is not None for each in ids] == [True, False]


async def test_one_import_at_a_time(deepgram, tmp_path):
    deepgram.faults = Faults(stop_answering_after=0.0)
    file = named(wav(tmp_path / "a.wav"))
    stop = asyncio.Event()
    running = asyncio.ensure_future(importing(deepgram, tmp_path).run([file], stop))
    async with asyncio.timeout(60):
        while not deepgram.requests:
            await asyncio.sleep(0.005)
    with pytest.raises(ImportFailed, match="another `bridge import`"):
        await run(importing(deepgram, tmp_path), file)
    stop.set()
    assert not await running
