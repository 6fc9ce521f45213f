"""The pictures of the documentation can still be taken, of the page as it is."""

import pytest

pytest.importorskip("playwright.async_api")

from scripts.screenshots import DOCS, pictures  # noqa: E402

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_all_of_them_are_taken(server, window, tmp_path):
    try:
        await pictures(server, window, tmp_path)
    finally:
        # The next test has the same window: this page would go on asking its server there.
        await window.goto("about:blank")

    assert sorted(path.name for path in tmp_path.glob("*.png")) == sorted(path.name for path in DOCS.glob("*.png"))
