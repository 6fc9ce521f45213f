"""A real Chromium, opened once, and pages in it that are watched: what goes wrong in the browser fails the test."""

import os
import shutil
import subprocess
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.browser.server import ReadingServer

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 15000  # milliseconds


def works(name):
    """Whether there is such a browser, and not only a package's word that there could be one."""
    path = shutil.which(name)
    return path and subprocess.run([path, "--version"], capture_output=True).returncode == 0


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium():
    """The browser; CHROMIUM names another one."""
    playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed: the browser extra")
    path = os.environ.get("CHROMIUM") or next(filter(works, NAMES), None)
    if not path:
        pytest.skip("there is no Chromium on this machine")
    async with playwright.async_playwright() as play:
        browser = await play.chromium.launch(executable_path=shutil.which(path) or path, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def window(chromium):
    """A page that is kept from test to test: to make one takes longer than most tests. Every server has an origin of
    its own, and so the page starts with nothing. It does not move: without a graphics card that is work.
    """
    context = await chromium.new_context(reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    yield await context.new_page()
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path):
    async with ReadingServer(tmp_path) as running:
        yield running


class Reader:
    """Somebody who reads, and all that went wrong in the pages they had open."""

    def __init__(self, window, server):
        self.server = server
        self.expected = []
        """Parts of console errors that the test provokes."""
        self.wrong = []
        self.requests = []
        self._window = window
        self._pages = []

    async def open(self, path="/", *, logged_in=True, width=1280, height=800, **options):
        """A page at this path; in a browser profile of its own where it is not to be logged in or has options."""
        page = self._window if logged_in and not options else await self._stranger(options)
        await page.set_viewport_size({"width": width, "height": height})
        if logged_in:
            await page.context.request.post(f"{self.server.origin}/login", data={"token": self.server.token})
        for event, listener in self._listeners():
            page.on(event, listener)
        self._pages.append(page)
        await page.goto(self.server.origin + path)
        return page

    async def _stranger(self, options):
        context = await self._window.context.browser.new_context(**options)
        context.set_default_timeout(PATIENCE)
        return await context.new_page()

    def _listeners(self):
        return [("console", self._console), ("pageerror", self._error), ("request", self._request)]

    def _error(self, error):
        self.wrong.append(str(error))

    def _request(self, request):
        self.requests.append(request.url)

    def _console(self, message):
        if message.type in ("error", "warning") and not any(part in message.text for part in self.expected):
            self.wrong.append(f"{message.text} {message.location.get('url', '')}")

    async def leave(self):
        """Close everything; a test does so itself where its server goes before its fixtures."""
        while self._pages:
            page = self._pages.pop()
            await page.goto("about:blank")
            for event, listener in self._listeners():
                page.remove_listener(event, listener)
            if page is not self._window:
                await page.context.close()
        origin = urlsplit(self.server.origin).netloc
        strangers = [url for url in self.requests if urlsplit(url).netloc not in ("", origin)]
        assert not self.wrong
        assert not strangers


@pytest_asyncio.fixture(loop_scope="session")
async def reader(window, server):
    somebody = Reader(window, server)
    yield somebody
    await somebody.leave()
