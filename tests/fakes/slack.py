"""A Slack channel's incoming webhook, with the limits that Slack's pages name for Block Kit.

Source: docs.slack.dev: incoming webhooks, Block Kit's reference of blocks and composition objects, rate limits.
"""

import json
from contextlib import asynccontextmanager
from types import SimpleNamespace

from aiohttp import web
from aiohttp.test_utils import TestServer


def faults(message):
    """What Slack would refuse, in words."""
    blocks = message.get("blocks", [])
    if not message.get("text"):
        yield "no text for notifications"
    if "<!" in json.dumps([message.get("text"), *(block for block in blocks if block.get("type") == "section")]):
        yield "a mention of everybody"
    if len(blocks) > 50:
        yield "more than 50 blocks"
    for block in blocks:
        match block:
            case {"type": "header", "text": {"type": "plain_text", "text": text}}:
                if not 1 <= len(text) <= 150:
                    yield "a header of more than 150 characters"
            case {"type": "section", "text": {"type": "mrkdwn", "text": text}}:
                if not 1 <= len(text) <= 3000:
                    yield "a section of more than 3000 characters"
            case {"type": "section", "fields": fields}:
                if not 1 <= len(fields) <= 10:
                    yield "more than 10 fields"
                if any(each["type"] != "mrkdwn" or not 1 <= len(each["text"]) <= 2000 for each in fields):
                    yield "a field of more than 2000 characters"
            case _:
                yield f"a block that is none: {json.dumps(block)[:100]}"


@asynccontextmanager
async def slack():
    """Yields its secret `url`, the `messages` that it took, what it `refused`, and `busy`: how often it answers 429
    before it takes one.
    """
    channel = SimpleNamespace(messages=[], busy=0, turned_away=0, refused=[])

    async def post(request):
        if channel.busy > 0:
            channel.busy -= 1
            channel.turned_away += 1
            return web.Response(status=429, headers={"Retry-After": "1"}, text="rate_limited")
        if request.content_type != "application/json":
            return web.Response(status=400, text="invalid_payload")
        message = await request.json()
        if found := list(faults(message)):
            channel.refused += found
            return web.Response(status=400, text="invalid_blocks")
        channel.messages.append(message)
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_post("/services/T0/B0/secret", post)
    server = TestServer(app)
    await server.start_server()
    channel.url = str(server.make_url("/services/T0/B0/secret"))
    try:
        yield channel
    finally:
        await server.close()
