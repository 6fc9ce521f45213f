"""The delivery on the page: a webhook that failed is found, and what it lacks is delivered with a click."""

from types import SimpleNamespace

import pytest
import pytest_asyncio

from bridge.local.receiver import Fault, Receiver
from bridge.store.token import own_token
from tests.browser.accessibility import serious
from tests.browser.conftest import Reader
from tests.fakes import frames
from tests.fakes.running import WEBHOOK_SECRET, bridge, deepgram, settings
from tests.fakes.talk import play

expect = pytest.importorskip("playwright.async_api").expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def receiver():
    async with Receiver(WEBHOOK_SECRET) as running:
        yield running


def ended(receiver):
    return any(event["type"] == "call.ended" for event in receiver.events(frames.CALL))


async def test_a_webhook_that_failed_is_found_and_gets_what_it_lacks(window, tmp_path, receiver):
    webhook = {"webhook_url": receiver.url, "webhook_secret": WEBHOOK_SECRET}
    receiver.faults = [Fault(status=410, times=1)]
    async with deepgram() as engine, bridge(settings(tmp_path, engine.url, **webhook)) as origin:
        await play(origin)
        await receiver.until(lambda: len(receiver.deliveries) == 1)
        reader = Reader(window, SimpleNamespace(origin=origin, token=own_token(tmp_path)))
        page = await reader.open(f"/?call={frames.CALL}")
        await page.get_by_role("button", name="Deliveries").click()
        told = page.get_by_role("dialog")
        await expect(told).to_contain_text("Said that it is gone")
        await expect(told).to_contain_text("status 410")
        await expect(told.get_by_role("link", name=frames.CALL)).to_be_visible()
        assert await serious(page) == []
        await told.get_by_role("button", name="Deliver now").click()
        await receiver.until(lambda: ended(receiver))
        await expect(told).to_contain_text("Takes what it gets")
        await told.get_by_role("button", name="Close").click()

        await page.reload()
        await expect(page.locator("#details")).to_contain_text("All delivered")
        before = len(receiver.deliveries)
        await page.get_by_label("Number of the event").fill("1")
        await page.get_by_role("button", name="Post this event").click()
        await expect(page.locator("#toast")).to_contain_text("webhook: status 20")
        assert len(receiver.deliveries) == before + 1
        assert await serious(page) == []
        await page.get_by_role("button", name="Deliver all once more").click()
        await receiver.until(lambda: receiver.counters["duplicate"] > len(receiver.seqs(frames.CALL)))

        await page.get_by_role("button", name="Deliveries").click()
        await page.get_by_label("Everything since").fill("2000-01-01T00:00:00")
        await page.get_by_role("button", name="Deliver once more").click()
        await receiver.until(lambda: receiver.counters["duplicate"] > 2 * len(receiver.seqs(frames.CALL)))
        await reader.leave()


async def test_who_may_only_read_sees_how_it_stands_and_no_buttons(window, tmp_path, receiver):
    file, token = tmp_path / "tokens.toml", "a-token-that-may-only-read"
    file.write_text(f'[[token]]\nname = "crm"\ntoken = "{token}"\nrights = ["read"]\n')
    given = {"webhook_url": receiver.url, "webhook_secret": WEBHOOK_SECRET, "bridge_tokens_file": file}
    receiver.faults = [Fault(status=410, times=1)]
    async with deepgram() as engine, bridge(settings(tmp_path, engine.url, **given)) as origin:
        await play(origin)
        await receiver.until(lambda: len(receiver.deliveries) == 1)
        reader = Reader(window, SimpleNamespace(origin=origin, token=token))
        page = await reader.open("/")
        await page.get_by_role("button", name="Deliveries").click()
        told = page.get_by_role("dialog")
        await expect(told).to_contain_text("Said that it is gone")
        await expect(told.get_by_role("link", name=frames.CALL)).to_be_visible()
        await expect(told.get_by_role("button")).to_have_count(1)  # it is closed with
        assert await serious(page) == []
        await reader.leave()
