"""The pictures of the page for the documentation, in bridge/docs: a call that goes on, one that ended, and a search.

The calls are the browser tests', over a real store and the real handlers. CHROMIUM names another browser.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from playwright.async_api import Page, async_playwright  # noqa: E402

from bridge.outbox import Settlement  # noqa: E402
from tests.browser.conftest import ARGUMENTS, NAMES, works  # noqa: E402
from tests.browser.samples import ended, sample_call, script_segments, segment, spoken, started  # noqa: E402
from tests.browser.server import ENDPOINT, Call, ReadingServer  # noqa: E402

DOCS = ROOT / "bridge" / "docs"
LARGEST = 150_000  # octets
WIDTH, HEIGHT = 1180, 724
WIDE = 1320  # with all about the call beside it

TALKS = [
    (3_000, "+15550134000", ["My parcel has not arrived.", "I see it here, it left on Friday.", "Thank you."]),
    (9_000, "+15550177000", ["I would like to change my address.", "Of course. What is the new one?"]),
    (16_000, "+15550145000", ["Is the shop open on Sunday?", "From ten to four.", "Lovely, see you then."]),
    (90_000, "+15550191000", ["I have a question about my invoice.", "Could you give me its number?"]),
]
"""Seconds ago, who called, and what was said in turn."""


def short_call(number: int, ago: float, caller: str, sentences: list[str]) -> Call:
    """A call that has ended."""
    call = Call(f"CA{number}", time.time() - ago, from_=caller)
    call.append(started(call), 0.0)
    at = 1.0
    for place, sentence in enumerate(sentences):
        words = spoken(sentence, at)
        call.append(segment(call, place, ("inbound", "outbound")[place % 2], words))
        at = words[-1]["end"] + 0.8
    call.append(ended(call, at), at)
    return call


async def go_on(server: ReadingServer, call: Call, until: float) -> None:
    """What was said up to a second of the sample call, and an interim that is not settled."""
    parts = script_segments()
    for number, (track, words) in enumerate(parts):
        if words[-1]["end"] <= until:
            await server.append(call, segment(call, number, track, words))
        else:
            await server.append(call, segment(call, number, track, words[:5], final=False, revision=2))
            return


async def show(page: Page, path: str, waits_for: str) -> None:
    """Open a path of the page, and wait until this is there."""
    await page.goto(path)
    await page.locator(waits_for).first.wait_for()
    await page.evaluate("document.fonts.ready")


async def take(page: Page, path: Path) -> None:
    """Take a picture; raises SystemExit where it is too large to be in a repository."""
    await page.screenshot(path=path, animations="disabled", caret="hide")
    octets = path.stat().st_size
    print(f"{path}: {octets / 1000:.0f} kB")
    if octets > LARGEST:
        raise SystemExit(f"more than {LARGEST / 1000:.0f} kB")


async def pictures(server: ReadingServer, page: Page, folder: Path) -> None:
    """Take all of them."""
    for number, talk in enumerate(TALKS):
        await server.add(short_call(number + 3, *talk))
    await server.add(sample_call("CA2", time.time() - 600, from_="+15550162000"))
    for lane in await server.store.claim(ENDPOINT, 50, lease=60, now=time.time()):
        await server.store.settle(lane, Settlement(cursor=lane.batch_to, batch_to=None))
    live = Call("CA1", time.time() - 31.0, from_="+15550108000")
    live.append(started(live), 0.0)
    await server.add(live)
    await page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    await page.context.request.post(f"{server.origin}/login", data={"token": server.token})
    await show(page, f"{server.origin}/?call=CA1", "#transcript")
    await go_on(server, live, 30.0)
    await page.locator("#transcript .interim").first.wait_for()
    await take(page, folder / "page-live.png")
    await page.set_viewport_size({"width": WIDE, "height": HEIGHT})
    await show(page, f"{server.origin}/?call=CA2", "#transcript .said")
    await page.locator("#details").get_by_text("All delivered").wait_for()
    await page.locator(".said", has_text="seven four two").click()
    await page.keyboard.press("Space")
    await take(page, folder / "page-ended.png")


async def main() -> None:
    """Serve the calls, open a browser, take the pictures."""
    path = os.environ.get("CHROMIUM") or next(filter(works, NAMES), None)
    if not path:
        raise SystemExit("There is no Chromium on this machine.")
    with tempfile.TemporaryDirectory() as folder:
        async with ReadingServer(Path(folder)) as server, async_playwright() as play:
            browser = await play.chromium.launch(executable_path=shutil.which(path) or path, args=ARGUMENTS)
            context = await browser.new_context(reduced_motion="reduce", color_scheme="light")
            await pictures(server, await context.new_page(), DOCS)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
