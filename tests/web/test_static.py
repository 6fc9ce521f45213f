import re

import aiohttp
import pytest
from aiohttp import web

from bridge.web.static import CONTENT_SECURITY_POLICY, PageHandlers


@pytest.fixture
async def client(aiohttp_client):
    app = web.Application()
    app.add_routes(PageHandlers().routes())
    return await aiohttp_client(app)


PAGES = pytest.mark.parametrize(("path", "main"), [("/", "main.js"), ("/api", "contract.js")])


@PAGES
async def test_the_page_and_all_that_it_names_are_served(client, path, main):
    page = await client.get(path)
    named = re.findall(r'(?:href|src)="(/static/[^"]+)"', await page.text())

    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert f"/static/{main}" in named
    for path in named:
        response = await client.get(path)
        assert response.status == 200, path
        assert response.headers["Content-Type"].split(";")[0] in {"text/css", "text/javascript", "image/svg+xml"}


@PAGES
async def test_every_module_is_loaded_ahead(client, path, main):
    """A module that only another one names costs a round trip before anything is shown."""
    page = await (await client.get(path)).text()
    seen, waiting = set(), [main]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        assert f'"/static/{name}"' in page
        waiting += re.findall(r'from "\./([a-z]+\.js)"', await (await client.get(f"/static/{name}")).text())

    assert len(seen) > 3


async def test_the_browser_is_told_to_stay_at_home(client):
    headers = (await client.get("/")).headers

    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "'unsafe" not in CONTENT_SECURITY_POLICY
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"


@PAGES
async def test_no_file_names_another_host_or_reads_html(client, path, main):
    page = await (await client.get(path)).text()
    for name in [path, *re.findall(r'"(/static/[^"]+)"', page)]:
        text = await (await client.get(name)).text()
        hosts = set(re.findall(r"https?://([^/\"'`\s]+)", text))
        assert hosts <= {"www.w3.org"}, name  # the name of SVG, not an address
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|DOMParser", text), name


async def test_what_the_browser_has_is_not_sent_again(client):
    first = await client.get("/static/main.js")
    again = await client.get("/static/main.js", headers={"If-None-Match": first.headers["ETag"]})
    other = await client.get("/static/main.js", headers={"If-None-Match": '"other"'})

    assert (again.status, await again.read()) == (304, b"")
    assert other.status == 200


@pytest.mark.parametrize("encoding", ["gzip, br", "identity"])
async def test_it_comes_packed_where_that_is_understood(client, encoding):
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        url = client.make_url("/static/base.css")
        async with session.get(url, headers={"Accept-Encoding": encoding}) as response:
            packed = response.headers.get("Content-Encoding") == "gzip"

            assert packed is (encoding != "identity")
            assert (await response.read()).startswith(b"\x1f\x8b") is packed


@pytest.mark.parametrize("name", ["static.py", "__init__.py", "..%2fstatic.py", "%2e%2e/media.py", "none.js"])
async def test_nothing_else_is_a_file_of_the_page(client, name):
    assert (await client.get(f"/static/{name}")).status == 404
