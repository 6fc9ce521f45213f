"""The page of the API: every operation and type is there, and what is sent from it is answered."""

import json

import pytest
import pytest_asyncio

from bridge.events import CallStarted
from bridge.web.contract import document, operations
from tests.browser.accessibility import serious
from tests.browser.samples import started
from tests.browser.server import Call

expect = pytest.importorskip("playwright.async_api").expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def page(reader):
    call = Call("CA1", 1_800_000_000.0)
    call.append(started(call))
    await reader.server.add(call)
    return await reader.open("/api")


async def opened(page, name):
    part = page.locator(f"#operation-{name}")
    await part.locator("summary").click()
    return part


async def test_everything_is_there(page):
    await expect(page.locator("#operations details")).to_have_count(len(operations()))
    await expect(page.locator("#types details")).to_have_count(len(document()["components"]["schemas"]))


async def test_what_is_sent_is_answered(page):
    part = await opened(page, "getCall")
    await part.get_by_label("id", exact=True).fill("CA1")
    await part.get_by_role("button", name="Send").click()

    await expect(part.locator(".answer")).to_contain_text("200")
    assert json.loads(await part.get_by_label("Answer").inner_text())["id"] == "CA1"


async def test_a_token_is_sent(page, reader):
    await page.get_by_label("Token").fill(reader.server.token)
    part = await opened(page, "makeLink")
    await part.get_by_label("id", exact=True).fill("CA1")
    await part.get_by_role("button", name="Send").click()

    await expect(part.locator(".answer")).to_contain_text("/?call=CA1#access=")
    assert reader.server.asked[-1][3]["Authorization"] == f"Bearer {reader.server.token}"


async def test_a_feed_is_shown_as_it_comes_and_can_be_stopped(page):
    part = await opened(page, "followCalls")
    await part.get_by_role("button", name="Send").click()
    await expect(part.get_by_label("Answer")).to_contain_text(CallStarted.type)

    await part.get_by_role("button", name="Stop").click()
    await expect(part.locator(".answer")).to_contain_text("Stopped.")


async def test_a_link_opens_a_type(page):
    part = await opened(page, "listCalls")
    await part.get_by_role("link", name="CallPage").click()

    await expect(page.locator("#type-CallPage")).to_have_attribute("open", "")
    await expect(page.locator("#type-CallPage")).to_contain_text("What before takes for the next page")


async def test_a_socket_is_not_tried(page):
    part = await opened(page, "sendMediaOfTwilio")

    await expect(part).to_contain_text("cannot be tried here")


@pytest.mark.parametrize("view", [{}, {"color_scheme": "dark"}, {"width": 390, "height": 800}])
async def test_everybody_can_use_it(reader, view):
    page = await reader.open("/api", **view)
    for name in ("getCall", "controlCall"):
        await opened(page, name)
    await page.locator("#type-Delivery > summary").click()

    assert await serious(page) == []
