"""After the call: listen, take away, hand on, delete, find again."""

import asyncio
import time

import pytest
import pytest_asyncio

from bridge.events import Entity, SearchHit
from bridge.outbox import Settlement
from tests.browser import hands
from tests.browser.hands import click_word, scrolled
from tests.browser.samples import DURATION, sample_call, script_segments, segment, spoken, started
from tests.browser.server import ENDPOINT, Call

expect = pytest.importorskip("playwright.async_api").expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HOUR_AGO = 3600


@pytest_asyncio.fixture(loop_scope="session")
async def call(server):
    done = sample_call("CA1", time.time() - HOUR_AGO)
    await server.add(done)
    return done


def start_of(word):
    return next(one["start"] for _, words in script_segments() for one in words if one["text"] == word)


async def test_a_click_on_a_word_plays_it_and_marks_what_is_said(server, call, reader):
    page = await reader.open("/?call=CA1")
    await expect(page.locator("#player")).to_be_visible()
    await click_word(page, "Monday,")
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()

    audio = page.locator("audio")
    await page.wait_for_function(
        "(from) => document.querySelector('audio').currentTime > from", arg=start_of("Monday,")
    )
    assert await audio.evaluate("audio => audio.currentTime") < start_of("Monday,") + 3
    await expect(page.locator(".turn.playing")).to_contain_text("It was supposed to arrive on Monday,")
    # The words follow the voice.
    await page.wait_for_function("() => [...CSS.highlights.get('now') ?? []].join().includes('here.')")
    await page.keyboard.press("Space")
    await expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    await page.keyboard.press("ArrowLeft")
    assert await audio.evaluate("audio => audio.currentTime") < start_of("Monday,")
    ranges = [headers.get("Range") for _, path, _, headers in server.asked if path.endswith("audio.wav")]
    assert any(ranges)


async def test_the_position_can_be_set_by_hand_and_is_told(call, reader):
    page = await reader.open("/?call=CA1")
    position = page.get_by_role("slider", name="Position")
    await position.fill("20")

    await expect(page.locator(".player .time")).to_contain_text("0:20 / 0:51")
    await expect(position).to_have_attribute("aria-valuetext", "0:20 of 0:51")
    await page.get_by_label("On 10 seconds").click()
    await expect(page.locator(".player .time")).to_contain_text("0:30")
    await page.get_by_text("1×").click()
    assert await page.locator("audio").evaluate("audio => audio.playbackRate") == 1.25


@pytest.mark.parametrize("width", [390, 768, 1280])
async def test_nothing_is_hidden_or_cut_off_at_any_width(call, reader, width):
    page = await reader.open("/?call=CA1", width=width)
    await expect(page.locator("#player")).to_be_visible()
    for part in await page.locator("#player :is(button, .who, .time, .lanes)").all():
        await expect(part).to_be_in_viewport(ratio=1)
    lanes = await page.locator(".lanes").bounding_box()
    assert lanes["width"] > 200
    if width < 1200:
        await page.get_by_role("button", name="About this call").click()
    top = "links => links.map((link) => link.getBoundingClientRect().top)"
    tops = await page.locator(".exports a").evaluate_all(top)
    assert len(tops) == 5 and len(set(tops)) == 1
    fits = "panel => panel.scrollWidth <= panel.clientWidth"
    assert await page.locator("#details").evaluate(fits)
    assert await page.evaluate("document.scrollingElement.scrollHeight <= innerHeight")


@pytest.mark.parametrize("width", [390, 1280])
async def test_only_the_conversation_scrolls(call, reader, width):
    page = await reader.open("/", width=width, height=500)
    await page.locator("#search").fill("goodbye")
    await expect(page.locator("a.call mark").first).to_be_visible()
    await page.locator("a.call").click()
    found = page.locator(".said", has_text="Goodbye").last
    await expect(found).to_be_in_viewport()
    assert await scrolled(page) == ["conversation"]
    await expect(page.locator("#call-title")).to_be_in_viewport(ratio=1)

    await page.locator("#conversation").evaluate("one => { one.scrollTop = 0; }")
    await page.get_by_role("slider", name="Position").fill("45")
    await page.keyboard.press("Space")
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()
    await expect(page.locator(".turn.playing").last).to_be_in_viewport()
    assert await scrolled(page) == ["conversation"]
    await page.keyboard.press("Space")


async def test_without_a_recording_there_is_no_player(server, reader):
    await server.add(sample_call("CA1", time.time() - HOUR_AGO, audio=False))
    page = await reader.open("/?call=CA1")
    await expect(page.locator(".note.ended")).to_be_visible()

    await expect(page.locator("#player")).to_be_hidden()
    await expect(page.get_by_role("link", name="Audio")).to_have_count(0)


async def test_the_record_can_be_taken_away(server, call, reader):
    page = await reader.open("/?call=CA1")
    files = await hands.downloads(page, "CA1")
    said = sorted(word["text"] for _, words in script_segments() for word in words)

    assert hands.words(files) == dict.fromkeys(("txt", "srt", "vtt", "json"), said)
    assert [len(channel) for channel in hands.channels(files)] == [round(DURATION * 8000)] * 2


async def test_the_figures_are_there(server, call, reader):
    [lane] = await server.store.claim(ENDPOINT, 1, lease=60, now=time.time())
    await server.store.settle(lane, Settlement(cursor=len(call.events), batch_to=None))
    page = await reader.open("/?call=CA1")

    await expect(page.locator(".figures tbody tr")).to_have_text(
        ["Talk time0:180:25", "Words5577", "Words a minute178185", "Answers after0.6 s0.4 s"]
    )
    await expect(page.locator("#details")).to_contain_text("0.31 s, 99 % within 0.72 s, at most 0.90 s")
    await expect(page.locator("#details")).to_contain_text("All delivered")


async def test_a_record_leads_to_the_one_that_continues_it(server, call, reader):
    further = Call("CA1--2", time.time() - 60)
    further.append(started(further).model_copy(update={"carrier_call_id": "CA1", "continues": "CA1"}), 0.0)
    await server.add(further)
    page = await reader.open("/?call=CA1")

    await expect(page.locator("#details a", has_text="CA1--2")).to_have_attribute("href", "/?call=CA1--2")


async def test_deleting_asks_first(server, call, reader):
    page = await reader.open("/?call=CA1")
    await page.get_by_label("Delete this call").click()
    await page.get_by_role("button", name="Keep it").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert await server.store.calls(call_id="CA1")

    await page.get_by_label("Delete this call").click()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await expect(page.locator("a.call")).to_have_count(0)
    await expect(page.get_by_text("The call was deleted.")).to_be_visible()
    await expect(page.locator("#nothing")).to_be_visible()
    assert not await server.store.calls(call_id="CA1")
    assert page.url == f"{server.origin}/"


async def test_a_link_is_copied_and_opens_this_call_alone(server, call, reader):
    await server.add(sample_call("CA2", time.time() - 100))
    page = await reader.open("/?call=CA1", permissions=["clipboard-read", "clipboard-write"])
    await page.get_by_label("Copy a link to this call").click()
    await page.get_by_label("Valid for").select_option("An hour")
    await page.get_by_role("button", name="Copy link").click()
    await expect(page.get_by_text("Copied.")).to_be_visible()
    url = await page.evaluate("navigator.clipboard.readText()")
    asked = len(server.asked)

    stranger = await reader.open(url.removeprefix(server.origin), logged_in=False)
    await expect(stranger.locator(".said").first).to_contain_text("Good morning")
    await expect(stranger.locator("#player")).to_be_visible()
    await expect(stranger.locator("#list")).to_be_hidden()
    await expect(stranger.get_by_label("Delete this call")).to_have_count(0)
    await click_word(stranger, "Monday,")
    await stranger.wait_for_function("() => document.querySelector('audio').currentTime > 5")
    assert "/calls" not in [path for _, path, _, _ in server.asked[asked:]]
    assert "access=" in await stranger.get_by_role("link", name="JSON").get_attribute("href")


async def test_the_list_goes_on_as_one_scrolls(server, reader):
    now = time.time()
    calls = [
        sample_call(f"CA{number:03}", now - 100 * number, from_=f"+1555010{number:04}", audio=False)
        for number in reversed(range(130))
    ]
    await asyncio.gather(*map(server.add, calls))
    page = await reader.open("/")
    await expect(page.locator("a.call").first).to_contain_text("+1 555 010 0000")
    assert await page.locator("a.call").count() < 130
    for _ in range(20):
        await page.locator("#list-scroll").evaluate("list => { list.scrollTop = list.scrollHeight; }")
        if await page.locator("a.call").count() == 130:
            break
        await page.wait_for_timeout(50)

    await expect(page.locator("a.call")).to_have_count(130)
    order = await page.locator("a.call").evaluate_all("links => links.map((link) => link.dataset.call)")
    assert order == sorted(order)


async def test_a_search_finds_words_and_marks_them_in_the_call(server, call, reader):
    silent = Call("CA9", time.time() - 50)
    silent.append(started(silent), 0.0)
    await server.add(silent)
    page = await reader.open("/")
    await expect(page.locator("a.call")).to_have_count(2)
    await page.keyboard.press("/")
    await page.keyboard.type("monday")
    await expect(page.locator("a.call mark")).to_have_text("Monday")
    await expect(page.locator("a.call")).to_have_count(1)
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")

    found = "(word) => [...CSS.highlights.get('found') ?? []].join() === word"
    await page.wait_for_function(found, arg="Monday")
    # In the call that is open, another search is marked at once, and a click goes there.
    await page.locator("#search").fill("goodbye")
    await page.wait_for_function(found, arg="Goodbye,Goodbye")
    await page.locator("a.call").click()
    await expect(page.locator(".said", has_text="Goodbye").first).to_be_in_viewport()
    await page.locator("#search").fill("")
    await expect(page.locator("a.call")).to_have_count(2)
    await page.wait_for_function(found, arg="")


async def test_a_number_finds_its_calls(server, call, reader):
    await server.add(sample_call("CA2", time.time() - 500, from_="+442071838750"))
    page = await reader.open("/")
    await page.locator("#search").fill("+44 207")

    await expect(page.locator("a.call")).to_have_count(1)
    await expect(page.locator("a.call")).to_contain_text("+442071838750")


async def test_several_on_one_track_are_named_one_below_the_other(server, reader):
    call = Call("CA2", time.time() - HOUR_AGO)
    call.append(started(call), 0.0)
    words = [{**word, "speaker": place // 3} for place, word in enumerate(spoken("This is Anna. And Bert.", 1.0))]
    named = Entity(label="PERSON_NAME", value="Anna", raw_value="anna", confidence=0.9, start_word=2, end_word=3)
    hit = SearchHit(query="bert", start=2.2, end=2.5, confidence=0.8, snippet="Bert")
    said = segment(call, 1, "inbound", words).model_copy(update={"entities": [named], "search": [hit]})
    call.append(said)
    await server.add(call)
    page = await reader.open("/?call=CA2")

    names = page.locator(".turn .who")
    await expect(names).to_have_text(["caller 1", "caller 2"])
    await expect(names.nth(1)).to_be_in_viewport()
    assert (await names.nth(1).bounding_box())["width"] > 20, "it is seen, and not only read out"
    await expect(page.locator(".said")).to_have_text(["This is Anna.", "And Bert."])
    await expect(page.locator(".entity")).to_have_text("Anna.")
    await expect(page.locator(".entity")).to_have_attribute("title", "PERSON_NAME")
    await expect(page.locator(".beside")).to_have_text("Searched: “bert” at 0:02, 80 %")
