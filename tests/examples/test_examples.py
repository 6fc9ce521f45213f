"""The programs of `scripts/examples` beside a real bridge: what they print and post of a call, of one that is delivered
again, of a forged delivery, and over restarts.
"""

import asyncio
import json
import os
import shutil
import time
from contextlib import asynccontextmanager
from html import escape

import aiohttp
import pytest

from bridge.client import Bridge, ReadingError
from bridge.delivery.envelope import envelope
from bridge.delivery.signing import Signer, format_secret
from bridge.outbox import call_header
from tests.browser.conftest import ARGUMENTS, NAMES, works
from tests.examples.rig import free_port, running
from tests.fakes import frames, words
from tests.fakes.hubspot import TOKEN as HUBSPOT_TOKEN
from tests.fakes.hubspot import hubspot
from tests.fakes.reading import TOKEN
from tests.fakes.running import AUDIO, SCRIPT, WEBHOOK_SECRET, bridge, deepgram, serving, settings
from tests.fakes.slack import slack
from tests.fakes.talk import play

pytestmark = pytest.mark.examples

OLD = format_secret(bytes(32))
PARTIES = {"from": "+15550101000", "to": "+15550123000", "direction": "inbound"}
SECOND = "CA00000000000000000000000000000002"
LONGEST = 20


@asynccontextmanager
async def posting_to(port, folder, **given):
    """A bridge that posts to an example at this port; yields its origin and a reader of its record."""
    secrets = {"webhook_secret": WEBHOOK_SECRET, "bridge_read_tokens": TOKEN}
    url = f"http://127.0.0.1:{port}/calls"
    async with deepgram() as server:
        configured = settings(folder / "data", server.url, webhook_url=url, **secrets, **given)
        async with bridge(configured) as origin, Bridge(origin, TOKEN) as reading:
            yield origin, reading


async def until_true(condition, program):
    """Until it is: of what a program has said, or of the bridge's record."""
    deadline = time.monotonic() + LONGEST
    while not (await found if asyncio.iscoroutine(found := condition()) else found):
        assert time.monotonic() < deadline, (program.said, program.errors)
        await asyncio.sleep(0.02)


async def known(reading, call=frames.CALL):
    """A call that was played, once its first event is committed."""
    try:
        return await reading.call(call)
    except ReadingError:
        return None


async def delivered(reading, program, call=frames.CALL):
    """Until the webhook has had everything of a call that has ended."""

    async def is_delivered():
        told = await known(reading, call)
        return told and not told.active and told.delivery.state == "delivered"

    await until_true(is_delivered, program)


async def spoken(reading, call=frames.CALL):
    """What a consumer is to print of a call."""
    told = [event async for event in reading.events(call, types=["transcript.final", "call.ended"])]
    finals = [f"{call}-{event.seq} {event.data.speaker}: {event.data.text}" for event in told[:-1]]
    assert len(finals) > 3
    return [*finals, f"{call}-{told[-1].seq} ended after {told[-1].data.duration:.0f} s"]


async def forge(program):
    """Post what is signed with another secret, and what is not signed: what it is answered."""
    body = envelope(call_header(words.started()), [words.final(text="forged").to_json()])
    signed = Signer(format_secret(b"f" * 32)).headers("x", body, time.time())
    answers = []
    async with aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as stranger:
        for headers in (signed, {}):
            async with stranger.post(program.url, data=body, headers=headers) as answer:
                answers.append(answer.status)
    return answers


CONSUMERS = ["fastapi_consumer", "flask_consumer", "express_consumer"]


@pytest.mark.parametrize("consumer", CONSUMERS)
async def test_a_consumer_prints_each_sentence_once(tmp_path, consumer):
    """While the secret changes; then everything is delivered once more, and the next call is printed after all."""
    port, secrets = free_port(), f"{OLD} {WEBHOOK_SECRET}"
    async with (
        running(consumer, tmp_path, port, WEBHOOK_SECRET=secrets) as program,
        posting_to(port, tmp_path, webhook_interim=True) as (origin, reading),
    ):
        assert await forge(program) == [401, 401]
        await play(origin)
        await delivered(reading, program)
        first = await spoken(reading)
        await until_true(lambda: len(program.said) >= len(first), program)
        assert await reading.deliver(frames.CALL, after=0) == 1
        await delivered(reading, program)
        await play(origin, call=SECOND)
        await delivered(reading, program, SECOND)
        second = await spoken(reading, SECOND)
        await until_true(lambda: len(program.said) >= len(first) + len(second), program)
    assert program.said == first + second
    assert not [line for line in program.errors if "Error" in line or "Traceback" in line]


async def test_a_note_in_the_crm(tmp_path):
    """HubSpot is busy at first, and the bridge tries again; over a restart of the example there is one note a call."""
    port = free_port()
    async with hubspot(c17=PARTIES["from"]) as crm, posting_to(port, tmp_path) as (origin, reading):
        crm.busy = 1
        environment = {
            "WEBHOOK_SECRET": WEBHOOK_SECRET,
            "BRIDGE_URL": origin,
            "BRIDGE_TOKEN": TOKEN,
            "HUBSPOT_URL": crm.url,
            "HUBSPOT_TOKEN": HUBSPOT_TOKEN,
        }
        async with running("crm_note", tmp_path, port, **environment) as program:
            assert await forge(program) == [401, 401]
            await play(origin, parameters=PARTIES)
            await delivered(reading, program)
            finals = [event.data async for event in reading.events(frames.CALL, types=["transcript.final"])]
            [note] = crm.notes
            assert note["associations"][0]["to"] == {"id": "c17"}
            assert note["properties"]["hs_timestamp"] == (await reading.call(frames.CALL)).started_at
            said = [word for final in finals for word in final.text.split()]
            assert all(escape(word) in note["properties"]["hs_note_body"] for word in said)
            assert program.errors == [f"{frames.CALL} has no note yet: ClientResponseError 429"]
        async with running("crm_note", tmp_path, port, **environment) as again:
            await reading.deliver(frames.CALL, after=0)
            await delivered(reading, again)
            await play(origin, call=SECOND, parameters={**PARTIES, "from": "+15550199000"})
            await delivered(reading, again, SECOND)
    assert program.said == [f"{frames.CALL} is noted at contact c17"]
    assert again.said == [f"{SECOND} is noted at contact new1"]
    assert crm.contacts["new1"] == "+15550199000"
    assert (len(crm.notes), crm.turned_away, again.errors) == (2, 1, [])


async def test_messages_in_slack(tmp_path):
    """One for each sentence with a watched word, and one at the end; Slack is busy at first. A caller mentions all."""
    port, watched = free_port(), SCRIPT.channels[0][0].word
    async with slack() as channel, posting_to(port, tmp_path) as (origin, reading):
        channel.busy = 1
        environment = {
            "WEBHOOK_SECRET": WEBHOOK_SECRET,
            "BRIDGE_URL": origin,
            "BRIDGE_TOKEN": TOKEN,
            "SLACK_URL": channel.url,
            "SLACK_WORDS": f"{watched.upper()}, never-said",
        }
        async with running("slack_message", tmp_path, port, **environment) as program:
            assert await forge(program) == [401, 401]
            await play(origin, parameters=PARTIES | {"from": "sip:<!channel>@example.com"})
            await delivered(reading, program)
            turns = [event.data async for event in reading.events(frames.CALL, types=["utterance.completed"])]
            hits = [turn for turn in turns if watched in turn.text.lower().replace(".", " ").split()]
        async with running("slack_message", tmp_path, port, **environment) as again:
            await reading.deliver(frames.CALL, after=0)
            await delivered(reading, again)
    assert (channel.refused, channel.turned_away, again.said, again.errors) == ([], 1, [], [])
    titles = [message["text"] for message in channel.messages]
    assert len(hits) == len(titles) - 1 >= 1
    assert titles[-1] == f"Call from sip:&lt;!channel&gt;@example.com to {PARTIES['to']} ended"
    assert all(f"{origin}/?call={frames.CALL}#access=" in json.dumps(message) for message in channel.messages)
    assert f"*{watched}*" in json.dumps(channel.messages[0]).lower()
    assert len(program.said) == len(titles)


def lines_of(message, call=frames.CALL):
    """The final lines of a call in what the assist's page is told, in their order."""
    lines = [line for each in message["calls"] if each["id"] == call for line in each["lines"]]
    return [(line["speaker"], line["text"]) for line in lines if line["final"] and line["text"]]


async def everything(program):
    """What a page is told first."""
    async with aiohttp.ClientSession() as session, session.get(f"{program.origin}/live") as response:
        async for line in response.content:
            if line.startswith(b"data: "):
                return json.loads(line.removeprefix(b"data: "))
    raise AssertionError("the feed ended")


async def test_the_agents_screen_over_a_restart_of_the_bridge(tmp_path):
    """It is started in the middle of a call; the bridge is killed, and goes on with the call; nothing is missing."""
    word = SCRIPT.channels[0][-1].word
    rules = [{"title": "Said last", "words": [word], "hint": "Say goodbye.", "speakers": ["caller"]}]
    (tmp_path / "hints.json").write_text(json.dumps(rules))
    async with deepgram() as server:
        bridge_port = free_port()
        environment = {
            "HOST": "127.0.0.1",
            "PORT": str(bridge_port),
            "DATA_DIR": str(tmp_path / "data"),
            "DEEPGRAM_URL": server.url,
            "DEEPGRAM_API_KEY": "key",
            "TWILIO_SIGNATURE": "off",
            "BRIDGE_REPLAY_SPEED": "1000",
            "BRIDGE_GRACE": "30",
            "BRIDGE_READ_TOKENS": TOKEN,
        }
        origin = f"http://127.0.0.1:{bridge_port}"
        known = {"BRIDGE_URL": origin, "BRIDGE_TOKEN": TOKEN, "HINTS": str(tmp_path / "hints.json")}
        half = len(AUDIO[0]) // 2
        async with running("agent_assist", tmp_path, free_port(), **known) as early:
            async with serving(environment) as (process, _), Bridge(origin, TOKEN) as reading:
                await until_true(lambda: "connected" in early.said, early)
                await play(origin, 0, half, stop=False, parameters=PARTIES)
                await until_true(lambda: has_finals(reading), early)
                async with running("agent_assist", tmp_path, free_port(), **known) as late:

                    async def caught_up():
                        return lines_of(await everything(late)) if "connected" in late.said else []

                    await until_true(caught_up, late)
                    process.kill()
                    await process.wait()
                    lost = "the bridge is not there; trying again …"
                    await until_true(lambda: early.said[-1] == late.said[-1] == lost, late)
                    async with serving(environment):
                        await play(origin, half, parameters=PARTIES, stream="MZ00000000000000000000000000000002")
                        await until_true(lambda: has_ended(reading), late)

                        async def all_there():
                            """Also what was transcribed after the end, from audio that was kept over the restart."""
                            finals = [event.data for event in await has_finals(reading)]
                            said = sorted((final.speaker, final.text) for final in finals if final.text)
                            told = [await everything(program) for program in (early, late)]
                            return all(sorted(lines_of(each)) == said for each in told)

                        await until_true(all_there, late)
                        [call] = (await everything(late))["calls"]
    assert (call["from_"], call["active"]) == (PARTIES["from"], False)
    hints = [hint for line in call["lines"] for hint in line["hints"]]
    assert hints and {hint["hint"] for hint in hints} == {"Say goodbye."}
    assert f"{frames.CALL} caller: Said last" in early.said
    assert not early.errors and not late.errors


async def has_finals(reading):
    if not [call async for call in reading.calls()]:
        return []
    return [event async for event in reading.events(frames.CALL, types=["transcript.final"])]


async def has_ended(reading):
    told = await known(reading)
    return told and not told.active


async def test_the_agents_screen_in_a_browser(tmp_path):
    """What is said stands there with its hint beside it, also after the example, and the page with it, begins again."""
    playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed: the browser extra")
    path = os.environ.get("CHROMIUM") or next(filter(works, NAMES), None)
    if not path:
        pytest.skip("there is no Chromium on this machine")
    word, port = SCRIPT.channels[0][-1].word, free_port()
    (tmp_path / "hints.json").write_text(
        json.dumps([{"title": "Said last", "words": [word], "hint": "Say <b>bye</b>."}])
    )
    async with posting_to(free_port(), tmp_path, bridge_label_inbound="caller") as (origin, reading):
        known = {"BRIDGE_URL": origin, "BRIDGE_TOKEN": TOKEN, "HINTS": str(tmp_path / "hints.json")}
        async with playwright.async_playwright() as play_browser:
            browser = await play_browser.chromium.launch(executable_path=shutil.which(path) or path, args=ARGUMENTS)
            page = await browser.new_page()
            wrong = []
            page.on("pageerror", lambda error: wrong.append(str(error)))
            async with running("agent_assist", tmp_path, port, **known) as program:
                await page.goto(program.origin)
                await page.get_by_text("Waiting for a call.").wait_for()
                await play(origin, parameters=PARTIES)
                await until_true(lambda: has_ended(reading), program)
                await page.get_by_text("ended").wait_for()
                finals = [event.data.text for event in await has_finals(reading) if event.data.text]
                assert await page.locator(".final .said").count() == len(finals)
                said = page.locator("li", has=page.get_by_text("Say <b>bye</b>."))
                assert (await said.locator("mark").inner_text()).lower() == word
                assert await said.locator(".said").get_by_text("caller").count() == 1
            await page.get_by_text("not connected; trying again …").wait_for()
            async with running("agent_assist", tmp_path, port, **known) as program:
                await page.get_by_text("Waiting for a call.").wait_for()
                await play(origin, call=SECOND, parameters=PARTIES)
                await page.get_by_text("Say <b>bye</b>.").wait_for()
            await browser.close()
    assert wrong == []
