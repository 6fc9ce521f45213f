"""What is not to be read is nowhere: not in a file, a post, the feed, an export, a search or a log, on whatever way it
was heard. Without redaction it is in all of these, so that the search for it is known to find it."""

import contextlib
import json

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from bridge.audio import SILENCE
from bridge.call.imported import Parties
from bridge.cli.imports import import_all
from bridge.cli.readying import Wanted
from bridge.cli.recordings import find
from bridge.deepgram import options
from bridge.local.deepgram import Faults, LocalDeepgram
from bridge.local.receiver import Receiver
from bridge.local.script import CodedRecognizers, Script, ScriptWord, TimedRecognizers, encode
from bridge.local.vosk import LocalVosk
from tests.cli.test_imports import wav
from tests.end_to_end.test_kill import settings_of
from tests.fakes import frames
from tests.fakes.running import WEBHOOK_SECRET, bridge, serving, settings
from tests.fakes.transcription import Consumer
from tests.fakes.twilio_rest import ACCOUNT, AUTH_TOKEN
from tests.fakes.waiting import until

TOKEN = "a-token-of-those-who-read"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
CARD = ("49291735", "88462205")
MAIL = "zq.canary@example.com"
SECRETS = (*CARD, MAIL)
KINDS = {"bridge_redact": "card,email"}
LENGTH = 7.0


def words(*said):
    """Each (text, start), 0.4 seconds long; half as many seconds between the card's halves as a turn takes to end."""
    bare = [(text, text.strip(",.").lower(), at) for text, at in said]
    return tuple(ScriptWord(word=word, text=text, start=at, end=round(at + 0.4, 3)) for text, word, at in bare)


SCRIPT = Script(
    channels=(
        words(("Card", 0.5), ("number", 1.0), (CARD[0], 1.5), (f"{CARD[1]}.", 3.5), ("Thanks", 4.0), (f"{MAIL},", 5.0),
              ("bye", 5.5)),
        words(("okay", 2.5), ("goodbye", 6.5)),
    )
)  # fmt: skip
AUDIO = encode(SCRIPT, LENGTH)


@pytest.fixture
async def deepgram():
    async with LocalDeepgram(CodedRecognizers(SCRIPT)) as server:
        yield server


@pytest.fixture
async def vosk():
    async with LocalVosk(CodedRecognizers(SCRIPT)) as server:
        yield server


@pytest.fixture
async def webhook():
    async with Receiver(WEBHOOK_SECRET) as receiver:
        yield receiver


@pytest.fixture
async def twilio():
    async with Consumer(AUTH_TOKEN) as consumer:
        yield consumer


async def play(origin, *, stop=True, parameters=None, audio=AUDIO, stream="MZ1"):
    async with connect(f"{origin.replace('http', 'ws', 1)}/media/twilio", compression=None) as socket:
        await socket.send(frames.start(parameters=parameters, stream=stream))
        for message in frames.talk(*audio):
            await socket.send(message)
        if stop:
            await socket.send(frames.stop(stream=stream))


async def told(origin, call_id, queries):
    """All that can be read of a call, and found."""
    paths = ["", "/events", *(f"/transcript.{form}" for form in ("json", "txt", "srt", "vtt"))]
    found = []
    async with aiohttp.ClientSession(origin, headers=BEARER) as session:
        for path in paths:
            async with session.get(f"/calls/{call_id}{path}") as response:
                assert response.status == 200
                found.append(await response.text())
        for query in queries:
            async with session.get("/calls", params={"q": query}) as response:
                found.append(f"{query} is in {[call['id'] for call in (await response.json())['calls']]}")
    return found


def files(folder):
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def configured(tmp_path, deepgram, webhook, twilio, **given):
    posted = {"webhook_url": webhook.url, "webhook_secret": WEBHOOK_SECRET, "webhook_interim": True}
    posted |= {"bridge_twilio_transcription_url": twilio.url, "bridge_twilio_partial_results": True}
    posted |= {"twilio_auth_token": AUTH_TOKEN, "twilio_account_sid": ACCOUNT, "bridge_read_tokens": TOKEN}
    return settings(tmp_path / "data", deepgram.url if deepgram else "ws://127.0.0.1:9", **posted, **given)


class Everything:
    """Where a secret could be."""

    def __init__(self, tmp_path, webhook, twilio, caplog):
        self._folder, self._webhook, self._twilio, self._caplog = tmp_path / "data", webhook, twilio, caplog
        self.read = []
        self.files = {}

    def look_at_files(self):
        """Also while the write-ahead log is there."""
        for name, content in files(self._folder).items():
            self.files.setdefault(name, []).append(content)

    def holding(self, secret):
        """The names of what has it."""
        call = self._webhook.calls.get(frames.CALL)
        places = {
            "webhook": json.dumps(call.events if call else []),
            "interims": json.dumps(call.interims if call else []),
            "twilio": json.dumps(self._twilio.forms),
            "log": self._caplog.text + "".join(str(record.__dict__) for record in self._caplog.records),
            "read": "\n".join(line for line in self.read if not line.startswith(secret)),
            "search": "\n".join(line for line in self.read if line.startswith(secret) and frames.CALL in line),
        }
        found = {name for name, text in places.items() if secret in text}
        if any(secret.encode() in content for contents in self.files.values() for content in contents):
            found.add("files")
        return found


@pytest.fixture
def everything(tmp_path, webhook, twilio, caplog):
    caplog.set_level("DEBUG", "bridge")
    return Everything(tmp_path, webhook, twilio, caplog)


async def call(setting, everything, webhook, *, last="call.ended", after=lambda: None, **played):
    async with bridge(setting) as origin:
        await play(origin, **played)
        await webhook.until(lambda: ended(webhook, "call.ended"), 60)
        after()
        await webhook.until(lambda: ended(webhook, last), 60)
        everything.read = await told(origin, frames.CALL, SECRETS)
        everything.look_at_files()
    everything.look_at_files()


def ended(webhook, kind):
    return [event for event in webhook.events(frames.CALL) if event["type"] == kind]


def finals(webhook):
    events = webhook.events(frames.CALL)
    return sorted(
        [event["data"] for event in events if event["type"] == "transcript.final"], key=lambda final: final["start"]
    )


def assert_redacted(everything, webhook):
    assert {secret: everything.holding(secret) for secret in SECRETS} == dict.fromkeys(SECRETS, set())
    said = " ".join(final["text"] for final in finals(webhook))
    assert (said.count("[card]"), said.count("[email]")) == (2, 1)
    assert "thanks" in said.lower()
    assert "goodbye" in said


async def test_the_search_finds_what_is_not_taken_out(tmp_path, deepgram, webhook, twilio, everything):
    await call(configured(tmp_path, deepgram, webhook, twilio), everything, webhook)

    assert everything.holding(MAIL) >= {"webhook", "twilio", "read", "search", "files"}
    assert everything.holding(CARD[1]) >= {"webhook", "twilio", "read", "files"}


@pytest.mark.parametrize("asked", ["", "model=flux-general-en&eager_eot_threshold=0.4", "alternatives=3&search=card"])
async def test_it_is_nowhere_in_a_live_call(tmp_path, deepgram, webhook, twilio, everything, asked):
    setting = configured(tmp_path, deepgram, webhook, twilio, deepgram_options=asked, **KINDS)
    await call(setting, everything, webhook)
    redacted = [part for final in finals(webhook) for part in final.get("redacted", ())]

    assert_redacted(everything, webhook)
    assert [part["kind"] for part in redacted] == ["card", "card", "email"]
    assert [round(part["start"], 2) for part in redacted] == [1.5, 3.5, 5.0]
    (started,) = ended(webhook, "call.started")
    assert started["data"]["redact"] == ["card", "email"]


async def test_a_call_may_ask_for_more(tmp_path, deepgram, webhook, twilio, everything):
    setting = configured(tmp_path, deepgram, webhook, twilio, bridge_redact="email")
    await call(setting, everything, webhook, parameters={"bridge.redact": "card"})

    assert_redacted(everything, webhook)


async def test_it_is_nowhere_where_vosk_hears(tmp_path, vosk, webhook, twilio, everything):
    setting = configured(tmp_path, None, webhook, twilio, bridge_vosk_url=vosk.url, deepgram_api_key=None, **KINDS)
    await call(setting, everything, webhook)

    assert_redacted(everything, webhook)


async def test_it_is_nowhere_after_a_backfill(tmp_path, deepgram, webhook, twilio, everything):
    deepgram.faults = Faults(refuse=503)

    def heal():
        deepgram.faults = Faults()

    setting = configured(tmp_path, deepgram, webhook, twilio, bridge_flush_timeout=0.2, **KINDS)
    await call(setting, everything, webhook, last="transcription.backfilled", after=heal)

    assert {final["source"] for final in finals(webhook)} == {"backfill"}
    assert_redacted(everything, webhook)


UNANNOUNCED = Script(
    channels=(
        words(("Take", 1.0), (CARD[0], 1.5), (f"{CARD[1]}.", 3.5), ("Thanks", 4.0), (f"{MAIL},", 5.0), ("bye", 5.5)),
        words(("okay", 2.5), ("goodbye", 6.5)),
    )
)


async def test_it_is_nowhere_after_a_kill_in_the_middle_of_it(tmp_path, webhook, twilio, everything):
    """The first half is heard, and held, by a process that dies; the second by the next one."""
    async with LocalDeepgram(CodedRecognizers(UNANNOUNCED)) as deepgram:
        before = await killed(tmp_path / "data", deepgram, webhook, everything)

    assert before == ["okay"]
    assert_redacted(everything, webhook)
    assert [event["data"]["waiting"] for event in ended(webhook, "transcription.backfilled")] == [0.0]


async def killed(data, deepgram, webhook, everything):
    """What was told until then."""
    tracks, cut = encode(UNANNOUNCED, LENGTH), round(3.46 * 8000)
    environment = settings_of(data, deepgram, webhook, BRIDGE_GRACE="20", BRIDGE_REDACT="card,email")
    environment |= {"WEBHOOK_INTERIM": "true", "BRIDGE_LOG_LEVEL": "debug"}
    async with serving(environment) as (process, port):
        with contextlib.suppress(ConnectionClosed):
            async with connect(f"ws://127.0.0.1:{port}/media/twilio", compression=None) as socket:
                await socket.send(frames.start())
                for message in frames.talk(*(track[:cut] for track in tracks)):
                    await socket.send(message)
                await webhook.until(lambda: finals(webhook), 20)
                audio = data / "audio" / frames.CALL / f"{0:012d}.ulaw"
                await until(lambda: audio.exists() and audio.stat().st_size >= 2 * 3 * 8000)
                process.kill()
                await process.wait()
    everything.look_at_files()
    before = [final["text"] for final in finals(webhook)]
    async with serving(environment) as (_, port):
        await play(f"http://127.0.0.1:{port}", audio=[track[cut:] for track in tracks], stream="MZ2")
        await webhook.until(lambda: ended(webhook, "transcription.backfilled"), 30)
        everything.look_at_files()
    everything.look_at_files()
    return before


async def test_recordings_are_silent_there_and_only_there(tmp_path, deepgram, webhook, twilio, everything):
    setting = configured(tmp_path, deepgram, webhook, twilio, bridge_recordings=True, bridge_redact_audio=True, **KINDS)
    async with bridge(setting) as origin, aiohttp.ClientSession(origin, headers=BEARER) as session:
        async with connect(f"{origin.replace('http', 'ws', 1)}/media/twilio", compression=None) as socket:
            await socket.send(frames.start())
            for message in frames.talk(*AUDIO):
                await socket.send(message)
            await webhook.until(lambda: ended(webhook, "call.started"), 60)
            async with session.get(f"/calls/{frames.CALL}/audio.wav") as response:
                early = response.status
        await webhook.until(lambda: ended(webhook, "call.ended"), 60)
        recording = tmp_path / "data" / "recordings" / frames.CALL / f"{0:012d}.ulaw"
        await until(recording.exists)
        async with session.get(f"/calls/{frames.CALL}/audio.wav") as response:
            late = response.status
    audio = recording.read_bytes()
    inbound, outbound = audio[::2], audio[1::2]

    assert (early, late) == (404, 200)
    for start, end in ((1.3, 2.1), (3.3, 4.1), (4.8, 5.6)):
        assert set(inbound[round(start * 8000) : round(end * 8000)]) == set(SILENCE)
    assert inbound[: round(1.29 * 8000)] == AUDIO[0][: round(1.29 * 8000)]
    assert inbound[round(4.21 * 8000) : round(4.7 * 8000)] == AUDIO[0][round(4.21 * 8000) : round(4.7 * 8000)]
    assert outbound[: len(AUDIO[1])] == AUDIO[1][: len(outbound)]


async def test_it_is_nowhere_in_an_import(tmp_path, webhook, twilio, everything):
    async with LocalDeepgram(TimedRecognizers(SCRIPT)) as deepgram:
        setting = configured(
            tmp_path, deepgram, webhook, twilio, bridge_recordings=True, bridge_redact_audio=True, **KINDS
        )
        wanted = Wanted(Parties(), options.parse(""), None, True, False, 1, 0.0)
        found, _ = find([str(wav(tmp_path / "a.wav", seconds=LENGTH, mark=90))], "https://api.twilio.com")
        await import_all(setting, found, wanted)
        (recording,) = (tmp_path / "data" / "recordings").glob("*/*.ulaw")
        everything.look_at_files()
        async with bridge(setting) as origin:
            everything.read = await told(origin, recording.parent.name, SECRETS)
            everything.look_at_files()

    assert {secret: everything.holding(secret) for secret in SECRETS} == dict.fromkeys(SECRETS, set())
    assert sum(line.count("[card]") for line in everything.read) >= 2
    inbound = recording.read_bytes()[::2]
    assert set(inbound[round(1.3 * 8000) : round(2.1 * 8000)]) == set(SILENCE)
    assert set(inbound[: round(1.2 * 8000)]) != set(SILENCE)
