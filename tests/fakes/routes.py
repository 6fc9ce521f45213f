"""A server of a few routes on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer


@asynccontextmanager
async def serving(*routes: web.RouteDef) -> AsyncIterator[str]:
    """Its origin."""
    application = web.Application()
    application.add_routes(routes)
    async with TestServer(application) as server:
        yield str(server.make_url("")).rstrip("/")
