"""Three hours of talk: shown within a second, and smooth to scroll."""

import time
from copy import copy

import pytest

from tests.browser.hands import scrolled
from tests.browser.samples import long_call, segment, spoken

expect = pytest.importorskip("playwright.async_api").expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SEGMENTS = 5000

SCROLL = """async () => {
    const scroller = document.getElementById("conversation");
    const frames = [];
    let last = await new Promise(requestAnimationFrame);
    for (let step = 0; step < 60; step += 1) {
        scroller.scrollTop += 700;
        const now = await new Promise(requestAnimationFrame);
        frames.push(now - last);
        last = now;
    }
    return frames.sort((a, b) => a - b);
}"""


SHOW = """async () => {
    const frame = () => new Promise(requestAnimationFrame);
    const from = performance.now();
    document.querySelector("a.call").click();
    while (!document.querySelector("#transcript .note.ended")) await frame();
    await frame();
    return performance.now() - from;
}"""


@pytest.fixture(scope="module")
def three_hours():
    return long_call("CAlong", time.time() - 4 * 3600, SEGMENTS)


async def test_three_hours_are_there_in_a_second(server, reader, three_hours, record_property):
    await server.add(three_hours)
    page = await reader.open("/")
    took = []
    # The best of three: others use this machine too.
    while len(took) < 3 and not [one for one in took if one < 1000]:
        await page.goto(f"{server.origin}/")
        await expect(page.locator("a.call")).to_have_count(1)
        took.append(await page.evaluate(SHOW))
    frames = await page.evaluate(SCROLL)
    record_property("milliseconds to show", [round(one) for one in took])
    record_property("milliseconds a frame", [round(frames[len(frames) * percent // 100]) for percent in (50, 95)])

    assert min(took) < 1000
    # Twice the 16.7 ms of a frame: without a graphics card, and with others on the machine.
    assert frames[len(frames) // 2] < 34


async def test_a_word_is_found_in_the_middle_of_three_hours(server, reader, three_hours):
    call = copy(three_hours)
    found = segment(call, 9998, "inbound", spoken("A zebra, of all things.", 5401.0))
    call.events = three_hours.events[:-1]
    await server.add(call)
    await server.append(call, found)
    await server.append(call, three_hours.events[-1].data, 3 * 3600)
    page = await reader.open("/")
    await page.locator("#search").fill("zebra")
    await expect(page.locator("a.call mark")).to_have_text("zebra")
    await page.locator("a.call").click()

    await expect(page.locator(".said", has_text="zebra")).to_be_in_viewport(timeout=30_000)
    await page.wait_for_timeout(300)
    await expect(page.locator(".said", has_text="zebra")).to_be_in_viewport()
    assert await scrolled(page) == ["conversation"]


async def test_the_end_of_three_live_hours_is_in_view_and_stays_there(server, reader, three_hours):
    call = copy(three_hours)
    call.events = three_hours.events[:-1]
    await server.add(call)
    page = await reader.open("/?call=CAlong")
    last = page.locator("#transcript > :last-child > :last-child .said")
    await expect(page.locator("#call-state")).to_have_text("Live")
    await expect(last).to_be_in_viewport()
    await server.append(call, segment(call, 9999, "inbound", spoken("The very last words.", 3 * 3600)))

    await expect(last).to_have_text("The very last words.")
    await expect(last).to_be_in_viewport()
