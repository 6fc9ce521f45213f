"""Handlers for the live page: its files, served from memory without authentication, because they hold no data.

The handlers that the page asks decide which calls it may read. This module decides what a browser lets the page do:
load from and talk to this origin only, never be framed, and send its address, which may hold a token, to no server.
"""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from importlib import resources

from aiohttp import web

from bridge.contract.operation import Answer, Parameter, documented
from bridge.web.http import refusal

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "media-src 'self'",
        "img-src 'self' data:",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # The browser keeps the files and revalidates them each time, so that the next load has a new version of all.
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}

_TYPES = {".html", ".css", ".js", ".svg"}


_KINDS = ("text/html", "text/css", "text/javascript", "image/svg+xml")
_HTML = {"text/html": {"type": "string"}}
_KNOWN = Answer("The browser has it.")


@dataclass(frozen=True, slots=True)
class _File:
    type: str
    body: bytes
    packed: bytes
    """`body`, gzipped."""
    etag: str


class PageHandlers:
    """`/` and `/static/{name}`."""

    def __init__(self) -> None:
        self._files = dict(_read())

    def routes(self) -> list[web.RouteDef]:
        """Without authentication."""
        return [web.get("/", self.page), web.get("/api", self.api), web.get("/static/{name}", self.file)]

    @documented("GET /", "getPage", tag="page", guard="open", answers={200: Answer("The page.", _HTML), 304: _KNOWN})
    async def page(self, request: web.Request) -> web.Response:
        """The page, the same for every reader and every address."""
        return _answer(request, self._files["index.html"])

    @documented(
        "GET /api", "getApiPage", tag="page", guard="open", answers={200: Answer("The page.", _HTML), 304: _KNOWN}
    )
    async def api(self, request: web.Request) -> web.Response:
        """The page to read about the HTTP API, and to try it."""
        return _answer(request, self._files["contract.html"])

    @documented(
        "GET /static/{name}",
        "getFile",
        tag="page",
        guard="open",
        takes=[Parameter("name", "The file's.", {"type": "string"}, "path")],
        answers={200: Answer("The file.", {kind: {"type": "string"} for kind in _KINDS}), 304: _KNOWN},
        refuses={404: "There is no such file."},
    )
    async def file(self, request: web.Request) -> web.Response:
        """One of the page's own files; no other file can be named."""
        found = self._files.get(request.match_info["name"])
        if found is None:
            return refusal(404, "There is no such file.")
        return _answer(request, found)


def _answer(request: web.Request, file: _File) -> web.Response:
    headers = {**HEADERS, "ETag": f'"{file.etag}"'}
    if any(known.value in (file.etag, "*") for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    body = file.body
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        body = file.packed
    return web.Response(body=body, headers={**headers, "Content-Type": file.type})


def _read() -> list[tuple[str, _File]]:
    files = []
    for entry in resources.files("bridge.web.page").iterdir():
        if any(entry.name.endswith(ending) for ending in _TYPES):
            body = entry.read_bytes()
            kind = "text/javascript" if entry.name.endswith(".js") else mimetypes.guess_type(entry.name)[0]
            etag = hashlib.sha256(body).hexdigest()[:20]
            files.append((entry.name, _File(f"{kind}; charset=utf-8", body, gzip.compress(body, mtime=0), etag)))
    return files
