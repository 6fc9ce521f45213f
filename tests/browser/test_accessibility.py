"""Usable by keyboard, by screen reader, in light, in dark and on a telephone."""

import time

import pytest
import pytest_asyncio

from bridge import events
from tests.browser.accessibility import serious
from tests.browser.samples import sample_call, segment, spoken

expect = pytest.importorskip("playwright.async_api").expect
pytest.importorskip("axe_playwright_python.async_playwright")

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

VIEWS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "narrow": {"width": 390, "height": 800},
}


@pytest_asyncio.fixture(loop_scope="session")
async def calls(server):
    """One of everything that the page can show of a live call and of one that is over."""
    now = time.time()
    live = sample_call("CAlive", now - 40, until=20)
    over = [events.Overlap(segment_id="CAlive-inbound-1", start=6.0, end=7.0)]
    live.append(segment(live, 70, "outbound", spoken("At the same time.", 6.0), overlaps=over))
    live.append(events.DtmfReceived(track="inbound", digit="7", at=21.0), 21.0)
    live.append(events.AudioGap(**{"track": "inbound", "from": 22, "to": 23, "missing": 0.9, "why": "lost"}), 23.0)
    done = sample_call("CAdone", now - 4000)
    done.parameters = {"queue": "orders"}
    for call in (live, done):
        await server.add(call)
    await server.append(live, segment(live, 71, "inbound", spoken("Not yet a senten", 24.0), final=False))
    await server.append(live, events.SpeechStarted(track="outbound", channel=1, speaker="agent", at=25, at_time=""))


@pytest.mark.parametrize("view", VIEWS)
async def test_axe_finds_nothing_serious(calls, reader, view):
    reader.expected.append("401 (Unauthorized)")
    found = {}
    page = await reader.open("/?call=CAlive", **VIEWS[view])
    await expect(page.locator(".interim")).to_be_visible()
    found["live"] = await serious(page)
    await page.goto(f"{reader.server.origin}/?call=CAdone")
    await expect(page.locator("#player")).to_be_visible()
    found["done"] = await serious(page)
    if view == "narrow":
        await page.get_by_label("Back to all calls").click()
        found["list"] = await serious(page)
    else:
        await page.get_by_label("Delete this call").click()
        found["dialog"] = await serious(page)
        await page.context.clear_cookies()
        await page.goto(f"{reader.server.origin}/")
        await expect(page.get_by_label("Token")).to_be_focused()
        found["login"] = await serious(page)

    assert not {name: violations for name, violations in found.items() if violations}


async def test_everything_can_be_reached_by_keyboard(calls, reader):
    page = await reader.open("/")
    await expect(page.locator("a.call")).to_have_count(2)
    await page.keyboard.press("ArrowDown")
    await expect(page.locator("[data-call=CAlive]")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(page.locator("[data-call=CAdone]")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#call-title")).to_be_focused()
    await expect(page.locator("[data-call=CAdone]")).to_have_attribute("aria-current", "page")
    await expect(page.locator("#player")).to_be_visible()

    line = page.locator(".turn").first
    await line.focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.locator(".turn").nth(1)).to_be_focused()
    await page.keyboard.press("Enter")
    await page.wait_for_function("() => document.querySelector('audio').currentTime > 5")
    await page.keyboard.press("/")
    await expect(page.locator("#search")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("[data-call=CAdone]")).to_be_focused()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_the_theme_is_the_systems_until_one_is_chosen(calls, reader):
    page = await reader.open("/", color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = await page.evaluate(paper)
    await page.get_by_label("Theme: system").click()
    light = await page.evaluate(paper)
    assert light != dark

    await page.reload()
    await expect(page.get_by_label("Theme: light")).to_be_visible()
    assert await page.evaluate(paper) == light
    await page.get_by_label("Theme: light").click()
    assert await page.evaluate(paper) == dark


async def test_on_a_telephone_list_and_call_take_turns(calls, reader):
    page = await reader.open("/", width=390, height=800)
    await page.locator("[data-call=CAdone]").click()
    await expect(page.locator("#list")).to_be_hidden()
    await expect(page.locator("#player")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await page.get_by_role("button", name="About this call").click()
    await expect(page.locator(".figures")).to_be_visible()

    await page.go_back()
    await expect(page.locator("#list")).to_be_visible()
    await page.locator("[data-call=CAlive]").click()
    await page.get_by_label("Back to all calls").click()
    await expect(page.locator("#list")).to_be_visible()


async def test_nothing_moves_for_those_who_do_not_want_it(calls, reader):
    page = await reader.open("/?call=CAlive", reduced_motion="reduce")
    await expect(page.locator(".interim")).to_be_visible()

    assert await page.evaluate("document.getAnimations().length") == 0
