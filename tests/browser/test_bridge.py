"""The page on the real bridge: a call comes in as frames of Twilio's, is recognized, and is read in a real browser."""

import asyncio
import contextlib
import socket
from types import SimpleNamespace

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from bridge.events import TRACKS
from bridge.local.sample import SCRIPT
from bridge.local.script import encode, load_script
from bridge.store.token import own_token
from tests.browser import hands
from tests.browser.conftest import Reader
from tests.browser.samples import DURATION
from tests.fakes import frames
from tests.fakes.running import bridge, deepgram, serving, settings

expect = pytest.importorskip("playwright.async_api").expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SAMPLE = load_script(SCRIPT)
AUDIO = encode(SAMPLE, DURATION)
WORDS = sorted(word.text for channel in SAMPLE.channels for word in channel)

AWAY = ["ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RE", "ERR_EMPTY_RESPONSE", "ERR_SOCKET_NOT_CONNECTED"]
MID_SENTENCE = 8.0  # "Hi, this is Laura Miller. I'm calling about …"
PAUSE = 27.0  # "Could you hold on for a moment, please?" "Yes."
LATER = 34.0


class Caller:
    """Twilio in one call, as far as a test wants it to be; `begin` is the second from which the stream tells."""

    def __init__(self, origin, stream=frames.STREAM, begin=0.0):
        self._url = f"{origin.replace('http', 'ws', 1)}/media/twilio"
        self._stream = stream
        self._at = begin
        first = round(begin * 8000)
        self._messages = frames.talk(*(track[first:] for track in AUDIO))

    async def __aenter__(self):
        self._socket = await connect(self._url, compression=None)
        caller = {"direction": "inbound", "from": "+15550101000", "to": "+15550123000", "speaker.outbound": "agent"}
        await self._socket.send(frames.start(stream=self._stream, parameters=caller))
        return self

    async def __aexit__(self, *_):
        await self._socket.close()

    async def speak(self, until):
        """Everything up to this second of the call, at once."""
        while self._at < until:
            for message in (next(self._messages, None), next(self._messages, None)):
                if message:
                    await self._socket.send(message)
            self._at += 0.02
            await asyncio.sleep(0)

    async def hang_up(self):
        await self._socket.send(frames.stop(stream=self._stream))
        await self._socket.close()


@pytest_asyncio.fixture(loop_scope="session")
async def engine():
    async with deepgram(SAMPLE) as server:
        yield server


@pytest.fixture
def configured(tmp_path, engine):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return settings(tmp_path, engine.url, bridge_recordings=True, port=port)


@pytest_asyncio.fixture(loop_scope="session")
async def reader(window, configured):
    origin = f"http://127.0.0.1:{configured.port}"
    somebody = Reader(window, SimpleNamespace(origin=origin, token=own_token(configured.data_dir)))
    yield somebody
    await somebody.leave()


async def document(page, reader):
    """What the record says by now."""
    answer = await page.context.request.get(f"{reader.server.origin}/calls/{frames.CALL}/transcript.json")
    assert answer.ok
    return await answer.json()


SAID = """([track, text]) => {
    const said = [...document.querySelectorAll(`.turn.final.${track} .said`)];
    return said.map((one) => one.textContent).join(" ") === text;
}"""


async def expect_all_finals(page, reader):
    """Everything that is in the record is on the page, each speaker's words in their order."""
    segments = (await document(page, reader))["segments"]
    for track in TRACKS:
        said = " ".join(one["text"] for one in segments if one["track"] == track and one["text"])
        await page.wait_for_function(SAID, arg=[track, said])
    return segments


async def test_a_call_is_read_as_it_is_spoken(configured, reader):
    async with bridge(configured) as origin:
        page = await reader.open(f"/#token={reader.server.token}", logged_in=False)
        await expect(page.locator("#list-end")).to_contain_text("No calls yet.")
        async with Caller(origin) as caller:
            await caller.speak(MID_SENTENCE)
            row = page.locator("#live-calls a.call")
            await expect(row).to_contain_text("+1 555 010 1000")
            await row.click()
            interim = page.locator(".turn.interim.inbound")
            await expect(interim).to_contain_text("this is Laura")
            await interim.evaluate("element => { element.marked = true; }")
            await caller.speak(PAUSE)
            settled = page.locator(".turn.final", has_text="this is Laura")
            await expect(settled).to_contain_text("Miller. I'm calling about an order.")
            assert await settled.evaluate("element => element.marked")
            # Less than a second of it is a back-channel.
            await expect(page.locator(".talk-over")).to_have_count(0)
            await expect(row).to_contain_text("Yes.")

            await page.reload()
            await expect(page.locator("#call-state")).to_have_text("Live")
            assert await expect_all_finals(page, reader)
            await caller.speak(DURATION)
            await caller.hang_up()
        await expect(page.locator("#call-state")).to_have_text("Ended")
        segments = await expect_all_finals(page, reader)
        assert sorted(" ".join(one["text"] for one in segments).split()) == WORDS
        await expect(page.locator("#earlier-calls a.call")).to_contain_text("0:51")
        await reader.leave()


async def test_afterwards_the_call_is_heard_and_taken_away(configured, reader):
    async with bridge(configured) as origin:
        async with Caller(origin) as caller:
            await caller.speak(DURATION)
            await caller.hang_up()
        page = await reader.open(f"/?call={frames.CALL}")
        await expect(page.locator("#player")).to_be_visible()
        audio = page.locator("audio")
        await audio.evaluate(
            "audio => { audio.addEventListener('seeking', () => { audio.sought = audio.currentTime; }); }"
        )
        await hands.click_word(page, "Chicago")
        await page.wait_for_function("() => document.querySelector('audio').sought > 0")
        said = [word for segment in (await document(page, reader))["segments"] for word in segment["words"]]
        [start] = [word["start"] for word in said if word["text"] == "Chicago"]
        assert await audio.evaluate("audio => audio.sought") == pytest.approx(start, abs=0.001)
        # It does play, and the words follow it.
        await page.wait_for_function("() => [...CSS.highlights.get('now') ?? []].join() === 'this'")
        await page.keyboard.press("Space")

        files = await hands.downloads(page, frames.CALL)
        assert hands.words(files) == dict.fromkeys(("txt", "srt", "vtt", "json"), WORDS)
        assert hands.channels(files) == AUDIO

        await page.get_by_label("Delete this call").click()
        await page.get_by_role("button", name="Delete", exact=True).click()
        await expect(page.get_by_text("The call was deleted.")).to_be_visible()
        await expect(page.locator("a.call")).to_have_count(0)
        assert not list(configured.data_dir.rglob(f"*{frames.CALL}*"))
        await reader.leave()


async def test_a_live_call_is_paused_by_button_and_by_key_and_stopped(configured, reader):
    async with bridge(configured) as origin:
        page = await reader.open()
        async with Caller(origin) as caller:
            await caller.speak(MID_SENTENCE)
            await page.locator("#live-calls a.call").click()
            await expect(page.locator(".turn", has_text="this is Laura")).to_be_visible()
            button = page.get_by_label("Pause the transcription")
            await button.click()
            await expect(button).to_have_attribute("aria-pressed", "true")
            await expect(page.locator("#call-state")).to_have_text("Paused")
            note = page.locator(".note.paused .note-text")
            await expect(note).to_have_text("Paused on the page: nothing is heard or kept.")
            await caller.speak(PAUSE)

            await page.reload()
            await expect(page.locator("#call-state")).to_have_text("Paused")
            await expect(button).to_have_attribute("aria-pressed", "true")
            await page.keyboard.press("p")
            await expect(button).to_have_attribute("aria-pressed", "false")
            await expect(page.locator("#call-state")).to_have_text("Live")
            await expect(note).to_contain_text("Paused on the page for 19")
            await caller.speak(LATER)

            await page.get_by_label("Stop the transcription").click()
            await page.get_by_role("button", name="Stop", exact=True).click()
            await expect(page.locator(".note.ended")).to_contain_text("Its transcription was stopped.")
            await expect(button).to_have_count(0)
            await expect(page.locator(".note.gap")).to_have_count(0)
        said = " ".join(await page.locator(".turn.final .said").all_text_contents())
        assert "this is Laura" in said
        assert "hold on" not in said
        await reader.leave()


async def test_a_bridge_that_ends_its_calls_stops_and_comes_back(configured, reader):
    reader.expected += AWAY
    async with contextlib.AsyncExitStack() as stack:
        async with bridge(configured.model_copy(update={"bridge_stop": "end"})) as origin:
            page = await reader.open()
            caller = await stack.enter_async_context(Caller(origin))
            await caller.speak(PAUSE)
            await page.locator("#live-calls a.call").click()
            await expect(page.locator(".turn.final", has_text="Yes.")).to_be_visible()
        # It ends its calls in order, and those who read see it.
        await expect(page.locator("#call-state")).to_have_text("Ended")
        await expect(page.locator(".note.ended")).to_contain_text("The bridge was stopped.")
        await expect(page.locator("#list-state")).to_contain_text("Offline since")
    async with bridge(configured):
        await expect(page.locator("#list-state")).to_be_hidden()
        await expect(page.locator("#earlier-calls a.call")).to_have_count(1)
        await expect_all_finals(page, reader)
        # The login outlives the bridge.
        await page.reload()
        await expect_all_finals(page, reader)
        await expect(page.locator("#login")).to_be_hidden()


async def test_the_bridge_stops_in_mid_call_and_the_next_one_has_the_call(configured, reader):
    reader.expected += AWAY
    async with contextlib.AsyncExitStack() as stack:
        async with bridge(configured) as origin:
            page = await reader.open()
            caller = await stack.enter_async_context(Caller(origin))
            await caller.speak(PAUSE)
            await page.locator("#live-calls a.call").click()
            await expect(page.locator(".turn.final", has_text="Yes.")).to_be_visible()
        # The call is left open, and the page waits for the bridge.
        await expect(page.locator("#call-state")).to_contain_text("Reconnecting since")
    async with bridge(configured):
        # No stream comes within the grace.
        await expect(page.locator("#call-state")).to_have_text("Ended")
        await expect(page.locator("#list-state")).to_be_hidden()
        await expect(page.locator("#earlier-calls a.call")).to_have_count(1)
        await expect_all_finals(page, reader)


async def test_the_bridge_is_killed_in_mid_call_and_call_and_page_go_on(configured, engine, reader):
    reader.expected += AWAY
    environment = {
        "HOST": "127.0.0.1",
        "PORT": str(configured.port),
        "DATA_DIR": str(configured.data_dir),
        "DEEPGRAM_URL": engine.url,
        "DEEPGRAM_API_KEY": "key",
        "TWILIO_SIGNATURE": "off",
        "BRIDGE_REPLAY_SPEED": "1000",
        "BRIDGE_GRACE": "20",
        "BRIDGE_RECORDINGS": "true",
    }
    async with serving(environment) as (process, _):
        page = await reader.open()
        with contextlib.suppress(ConnectionClosed):
            async with Caller(reader.server.origin) as caller:
                await caller.speak(PAUSE)
                await page.locator("#live-calls a.call").click()
                await expect(page.locator(".turn.final", has_text="Yes.")).to_be_visible()
                seen = await page.locator(".turn.final .said").all_text_contents()
                process.kill()
                await process.wait()
    await expect(page.locator("#call-state")).to_contain_text("Reconnecting since")
    async with serving(environment):
        await expect(page.locator("#call-state")).to_contain_text("nothing missed", timeout=15_000)
        async with Caller(reader.server.origin, "MZ2", PAUSE) as caller:
            await caller.speak(LATER)
            await expect(page.locator(".note.resumed")).to_contain_text("The call goes on: the bridge was restarted")
            await caller.speak(DURATION)
            await caller.hang_up()
        await expect(page.locator(".note.ended")).to_contain_text("Hung up.")
        await expect(page.locator(".turn.final", has_text="Goodbye.").last).to_be_visible()
        await expect_all_finals(page, reader)
        turns = await page.locator(".turn.final .said").all_text_contents()
        assert all(any(text in turn for turn in turns) for text in seen)
        await expect(page.locator("#player")).to_be_visible()
