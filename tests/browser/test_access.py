"""The way in: login, links that log in, sessions that end, links that expire."""

import time

import pytest

from bridge.rights import Reader
from tests.browser.samples import sample_call, segment, spoken
from tests.browser.server import TOKEN

expect = pytest.importorskip("playwright.async_api").expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

REFUSED = "401 (Unauthorized)"


async def test_the_token_lets_in_and_a_wrong_one_does_not(server, reader):
    reader.expected.append(REFUSED)
    await server.add(sample_call("CA1", time.time() - 100))
    page = await reader.open("/?call=CA1", logged_in=False)
    token = page.get_by_label("Token")
    await expect(token).to_be_focused()
    await expect(page.locator("#app")).to_be_hidden()
    await token.fill("wrong")
    await token.press("Enter")
    await expect(page.get_by_role("alert")).to_have_text("This token is not valid.")

    await token.fill(TOKEN)
    await token.press("Enter")
    await expect(page.locator(".said").first).to_be_visible()
    await expect(page.locator("a.call")).to_have_count(1)
    assert await token.input_value() == ""


@pytest.mark.parametrize("path", ["/?call=CA1&token={}", "/?call=CA1#token={}"])
async def test_a_login_link_lets_in_and_leaves_no_trace(server, reader, path):
    await server.add(sample_call("CA1", time.time() - 100))
    page = await reader.open(path.format(TOKEN), logged_in=False)
    await expect(page.locator(".said").first).to_be_visible()

    assert page.url == f"{server.origin}/?call=CA1"
    assert await page.evaluate("history.length") <= 2
    assert TOKEN not in await page.evaluate("JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie")


async def test_a_session_that_ends_in_mid_call_asks_again_and_goes_on(server, reader):
    reader.expected += [REFUSED, "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET"]
    call = sample_call("CA1", time.time() - 20, until=20)
    await server.add(call)
    page = await reader.open("/?call=CA1")
    await expect(page.locator(".said")).not_to_have_count(0)
    before = await page.locator(".said").count()
    server.outlive_sessions()
    server.cut()

    token = page.get_by_label("Token")
    await expect(token).to_be_focused()
    await expect(page.locator(".said").first).to_be_hidden()
    await server.append(call, segment(call, 90, "outbound", spoken("Still here.", 30.0)))
    await token.fill(TOKEN)
    await token.press("Enter")
    await expect(page.locator(".said")).to_have_count(before + 1)
    await expect(page.locator(".said").last).to_have_text("Still here.")


async def test_an_expired_link_says_so_and_asks_for_no_token(server, reader):
    reader.expected.append(REFUSED)
    await server.add(sample_call("CA1", time.time() - 100))
    page = await reader.open("/?call=CA1#access=old", logged_in=False)

    await expect(page.get_by_text("This link has expired, or is not for this call.")).to_be_visible()
    await expect(page.locator("#login")).to_be_hidden()


async def test_a_call_that_is_not_there_is_said_not_to_be(reader):
    reader.expected.append("404 (Not Found)")
    page = await reader.open("/?call=CA404")

    await expect(page.get_by_text("This call is not there (any more).")).to_be_visible()


@pytest.mark.parametrize(
    ("right", "number", "told", "buttons"),
    [
        ("audit", (), "This token may not read calls.", 0),
        ("read", ("+15559999999",), "No calls yet. They appear here the moment they start.", 0),
        ("read", ("+15550123000",), "", 2),
    ],
)
async def test_a_token_with_less_sees_and_may_do_less(server, reader, right, number, told, buttons):
    """Of the buttons of a call those for a link, which a reader may make, and for the panel are left."""
    reader.expected += ["403 (Forbidden)", "404 (Not Found)", REFUSED]
    await server.stop()
    server.readers = (Reader("some", TOKEN, frozenset((right,)), number),)
    await server.start()
    await server.add(sample_call("CA1", time.time() - 100))
    page = await reader.open("/?call=CA1", logged_in=False)
    await page.get_by_label("Token").fill(TOKEN)
    await page.get_by_label("Token").press("Enter")

    await expect(page.locator("#list-end")).to_have_text(told)
    await expect(page.locator("a.call")).to_have_count(min(buttons, 1))
    await expect(page.locator("#call-tools button")).to_have_count(buttons)
