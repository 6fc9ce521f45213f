r"""Tells a Slack channel of every call that has ended, and at once of every sentence with a word that is watched for.

    pip install 'aiohttp>=3.14' 'pydantic>=2.12' && pip install --no-deps .
    WEBHOOK_SECRET=whsec_… BRIDGE_URL=https://… BRIDGE_TOKEN=… SLACK_URL=https://hooks.slack.com/services/… \
        SLACK_WORDS='cancel,lawyer,supervisor' python scripts/examples/slack_message.py

It listens on PORT, 3000, at `/calls`. The message is posted before the answer: while Slack does not take it, the bridge
is answered 503, and tries again. `told.db` remembers what was told. The messages link to the call for a week, for
readers without a token. Source: docs.slack.dev, incoming webhooks, Block Kit, rate limits (one message a second).
"""

import asyncio
import os
import re
import sys

import aiohttp
from aiohttp import web

from bridge.client import (
    Bridge,
    Call,
    CallEnded,
    Event,
    ReadingError,
    Refused,
    Seen,
    SeenFile,
    UtteranceCompleted,
    Webhook,
)

HEADER, SECTION, FIELD = 150, 3000, 2000  # characters at most
WEEK = 7 * 86_400
WORDS = [word.strip() for word in os.environ.get("SLACK_WORDS", "").split(",") if word.strip()]
WATCHED = re.compile(rf"\b(?:{'|'.join(map(re.escape, WORDS))})\b" if WORDS else r"(?!)", re.IGNORECASE)

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
seen = Seen(SeenFile("told.db"))


class Busy(Exception):
    """Slack does not take the message now."""


async def receive(request: web.Request) -> web.Response:
    try:
        delivery = webhook.receive(await request.read(), request.headers)
    except Refused as error:
        return web.Response(status=error.status)
    try:
        for event in seen.new(delivery):  # handled when the next one is asked for, so not if Slack refuses
            async with asyncio.timeout(12):  # the bridge waits 15 s for the answer
                await tell(delivery.call, event)
    except (Busy, aiohttp.ClientError, TimeoutError, ReadingError) as error:
        why = str(error) if isinstance(error, ReadingError) else type(error).__name__
        print(f"{delivery.call.id} is not told yet: {why}", file=sys.stderr, flush=True)
        return web.Response(status=503, headers={"Retry-After": str(error) if isinstance(error, Busy) else "5"})
    return web.Response(status=204)


async def tell(call: Call, event: Event) -> None:
    said = event.data
    if isinstance(said, UtteranceCompleted) and WATCHED.search(said.text):
        words = escaped(WATCHED.sub(lambda found: f"*{found[0]}*", said.text))
        await post(f"{said.speaker} said a watched word", [section(f"*{escaped(said.speaker)}:* {words}")], call)
    elif isinstance(said, CallEnded):
        talk = said.figures.talk_time if said.figures else {}
        facts = [("Why", said.reason.replace("_", " ")), ("Length", f"{said.duration:.0f} s")]
        facts += [(f"{speaker} talked", f"{seconds:.0f} s") for speaker, seconds in talk.items()]
        if said.missing:
            facts.append(("Without transcript", f"{said.missing:.0f} s"))
        fields = [{"type": "mrkdwn", "text": cut(f"*{escaped(name)}*\n{escaped(what)}", FIELD)} for name, what in facts]
        blocks = [{"type": "section", "fields": fields[:10]}]
        await post(f"Call from {call.from_ or '?'} to {call.to or '?'} ended", blocks, call)


async def post(title: str, blocks: list[dict], call: Call) -> None:
    async with Bridge(os.environ["BRIDGE_URL"], os.environ["BRIDGE_TOKEN"]) as bridge:
        link = await bridge.link(call.id, WEEK)
    header = {"type": "header", "text": {"type": "plain_text", "text": cut(title, HEADER)}}
    message = {"text": escaped(cut(title, HEADER)), "blocks": [header, *blocks, section(f"<{link.url}|Read the call>")]}
    async with aiohttp.ClientSession() as slack:
        async with slack.post(os.environ["SLACK_URL"], json=message) as answer:
            if answer.status == 400:  # it would be refused the next time too
                print(f"Slack refuses a message of {call.id}: {await answer.text()}", file=sys.stderr, flush=True)
                return
            if answer.status != 200:
                raise Busy(answer.headers.get("Retry-After", "5"))
    print(f"{call.id} told: {title}", flush=True)


def section(text: str) -> dict:
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, SECTION)}}


def escaped(text: str) -> str:
    """Slack's three control characters."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


app = web.Application()
app.router.add_post("/calls", receive)
if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT", "3000")), print=None)
