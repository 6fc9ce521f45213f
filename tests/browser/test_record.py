"""After the call: listen, take away, hand on, delete, find again."""

import time

import pytest

from bridge.local.sample import CALL
from tests.browser.samples import sample_call, script_segments
from tests.browser.server import Call

expect = pytest.importorskip("playwright.async_api").expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HOUR_AGO = 3600


@pytest.fixture
def call(server):
    done = sample_call("CA1", time.time() - HOUR_AGO)
    server.add(done)
    return done


async def click_word(page, word):
    """Click in the middle of the first such word, as a hand does."""
    box = await page.evaluate(
        """word => {
            for (const said of document.querySelectorAll(".said")) {
                const at = said.textContent.indexOf(word);
                if (at < 0) continue;
                const range = document.createRange();
                range.setStart(said.firstChild, at);
                range.setEnd(said.firstChild, at + word.length);
                said.scrollIntoView({ block: "center" });
                return range.getBoundingClientRect().toJSON();
            }
        }""",
        word,
    )
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


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
    await expect(page.locator(".segment.playing")).to_contain_text("It was supposed to arrive on Monday,")
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


async def test_without_a_recording_there_is_no_player(call, reader):
    call.audio = False
    page = await reader.open("/?call=CA1")
    await expect(page.locator(".note.ended")).to_be_visible()

    await expect(page.locator("#player")).to_be_hidden()
    await expect(page.get_by_role("link", name="Audio")).to_have_count(0)


async def test_the_record_can_be_taken_away(server, call, reader):
    page = await reader.open("/?call=CA1")
    for name, kind in (("Text", "txt"), ("SRT", "srt"), ("WebVTT", "vtt"), ("JSON", "json"), ("Audio", "wav")):
        async with page.expect_download() as download:
            await page.get_by_role("link", name=name).click()
        file = await download.value
        assert file.suggested_filename == f"CA1.{kind}"
        content = (await file.path()).read_bytes()
        assert content == (CALL.read_bytes() if kind == "wav" else f"{kind}: {call.text()[0]}".encode())


async def test_the_figures_are_there(call, reader):
    page = await reader.open("/?call=CA1")

    await expect(page.locator(".figures tbody tr")).to_have_text(
        ["Talk time0:220:19", "Words7166", "Words a minute190200", "Answers after0.6 s0.8 s"]
    )
    await expect(page.locator("#details")).to_contain_text("All delivered")


async def test_deleting_asks_first(server, call, reader):
    page = await reader.open("/?call=CA1")
    await page.get_by_label("Delete this call").click()
    await page.get_by_role("button", name="Keep it").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert "CA1" in server.calls

    await page.get_by_label("Delete this call").click()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await expect(page.locator("a.call")).to_have_count(0)
    await expect(page.get_by_text("The call was deleted.")).to_be_visible()
    await expect(page.locator("#nothing")).to_be_visible()
    assert "CA1" not in server.calls
    assert page.url == f"{server.origin}/"


async def test_a_link_is_copied_and_opens_this_call_alone(server, call, reader):
    server.add(sample_call("CA2", time.time() - 100))
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
    for number in range(130):
        server.add(sample_call(f"CA{number:03}", now - 100 * number, from_=f"+1555010{number:04}"))
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
    server.add(silent)
    page = await reader.open("/")
    await expect(page.locator("a.call")).to_have_count(2)
    await page.keyboard.press("/")
    await page.keyboard.type("monday")
    await expect(page.locator("a.call mark")).to_have_text("Monday")
    await expect(page.locator("a.call")).to_have_count(1)
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")

    await page.wait_for_function("() => [...CSS.highlights.get('found') ?? []].join() === 'Monday'")
    await page.locator("#search").fill("")
    await expect(page.locator("a.call")).to_have_count(2)


async def test_a_number_finds_its_calls(server, call, reader):
    server.add(sample_call("CA2", time.time() - 500, from_="+442071838750"))
    page = await reader.open("/")
    await page.locator("#search").fill("+44 207")

    await expect(page.locator("a.call")).to_have_count(1)
    await expect(page.locator("a.call")).to_contain_text("+442071838750")
