"""An agent-assist screen: shows calls live, turn by turn, and hints beside the sentences that call for them.

    pip install 'aiohttp>=3.14' 'pydantic>=2.12' && pip install --no-deps .
    BRIDGE_URL=http://127.0.0.1:8080 BRIDGE_TOKEN=… python scripts/examples/agent_assist.py

Then open http://127.0.0.1:3001. It needs no webhook: it follows the bridge's live feed, over lost connections and
restarts of either side, and tells every open page. `hints.json` has the rules: a `title`, the `words` of which one must
be said, the `hint`, and the `speakers` who may say it, by default the caller. HINTS names another file, PORT another
port. Who opens the page reads the calls: it listens on this machine only; put a login of yours in front of it.
"""

import asyncio
import json
import os
import re
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from aiohttp import web

from bridge.client import (
    Bridge,
    CallEnded,
    CallStarted,
    Connected,
    Event,
    Lost,
    ReadingError,
    Reset,
    TranscriptFinal,
    TranscriptInterim,
)

HERE = Path(__file__).parent
KEPT = 20  # calls that have ended and are shown still
BEHIND = 1000  # messages that a page may be behind, before it has to begin again


@dataclass
class Line:
    """What one speaker said in one stretch: interims replace it, a final settles it."""

    id: str
    speaker: str
    track: str
    start: float
    text: str
    final: bool
    hints: list[dict] = field(default_factory=list)


@dataclass
class Conversation:
    """One call, as the page shows it."""

    id: str
    from_: str | None
    to: str | None
    started_at: str
    active: bool = True
    lines: dict[str, Line] = field(default_factory=dict)

    def to_json(self) -> dict:
        return {**asdict(self), "lines": [asdict(line) for line in self.lines.values()]}


class Rules:
    """Hints by simple rules: a word that is said, in any case, as a whole word."""

    def __init__(self, path: Path) -> None:
        self._rules = [
            (re.compile(rf"\b(?:{'|'.join(map(re.escape, rule['words']))})\b", re.IGNORECASE), rule)
            for rule in json.loads(path.read_text(encoding="utf-8"))
        ]

    def hints(self, speaker: str, text: str) -> list[dict]:
        """The hints for a sentence; here is the place for a search or a model of your own."""
        return [
            {"title": rule["title"], "hint": rule["hint"], "word": found[0]}
            for words, rule in self._rules
            if speaker in rule.get("speakers", ["caller"]) and (found := words.search(text))
        ]


class Assist:
    """What is known of the calls, and the pages that are told of it."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._calls: dict[str, Conversation] = {}
        self._pages: set[asyncio.Queue[dict | None]] = set()
        self._connected = False

    async def follow(self, url: str, token: str) -> None:
        """Follow the bridge until cancelled; its words come in as they are spoken."""
        async with Bridge(url, token) as bridge:
            async for event in bridge.follow(told=self._heed):
                if isinstance(event.data, CallStarted):
                    # Of a call that goes on already the feed tells the beginning and what comes: the rest is read.
                    with suppress(ReadingError):  # it was deleted, or will be told again after a reconnection
                        async for earlier in bridge.events(event.call_id):
                            self.take(earlier)
                self.take(event)

    def take(self, event: Event) -> None:
        """One event, in order; the same one again changes nothing."""
        call = self._calls.get(event.call_id)
        match event.data:
            case Reset():
                self._calls.clear()
                self._tell(self._everything())
            case CallStarted() as said if not call:
                call = self._calls[event.call_id] = Conversation(event.call_id, said.from_, said.to, said.started_at)
                self._tell({"kind": "call", "call": call.to_json()})
            case TranscriptInterim() | TranscriptFinal() as said if call:
                known = call.lines.get(said.segment_id)
                if known and known.final:
                    return
                line = Line(said.segment_id, said.speaker, said.track, said.start, said.text, said.final)
                shown = {hint["title"] for other in call.lines.values() if other.id != line.id for hint in other.hints}
                found = self._rules.hints(line.speaker, line.text)
                line.hints = [hint for hint in found if hint["title"] not in shown]
                call.lines[line.id] = line
                self._tell({"kind": "line", "call": call.id, "line": asdict(line)})
                if line.final and line.hints:
                    print(f"{call.id} {line.speaker}: {', '.join(hint['title'] for hint in line.hints)}", flush=True)
            case CallEnded() if call and call.active:
                call.active = False
                self._tell({"kind": "ended", "call": call.id})
                for old in [each.id for each in self._calls.values() if not each.active][:-KEPT]:
                    del self._calls[old]

    @asynccontextmanager
    async def page(self):
        """The messages for a page, from now on; the first is everything there is. None: it is too far behind."""
        messages: asyncio.Queue[dict | None] = asyncio.Queue()
        messages.put_nowait(self._everything())
        self._pages.add(messages)
        try:
            yield messages
        finally:
            self._pages.discard(messages)

    def _heed(self, connection: Lost | Connected) -> None:
        self._connected = isinstance(connection, Connected)
        print("connected" if self._connected else "the bridge is not there; trying again …", flush=True)
        self._tell({"kind": "bridge", "connected": self._connected})

    def _everything(self) -> dict:
        return {
            "kind": "all",
            "connected": self._connected,
            "calls": [call.to_json() for call in self._calls.values()],
        }

    def _tell(self, message: dict) -> None:
        for messages in list(self._pages):
            messages.put_nowait(message)
            if messages.qsize() > BEHIND:
                self._pages.discard(messages)
                messages.put_nowait(None)


ASSIST = web.AppKey("ASSIST", Assist)


async def index(request: web.Request) -> web.FileResponse:
    return web.FileResponse(HERE / "agent_assist.html")


async def live(request: web.Request) -> web.StreamResponse:
    """Server-sent events for the page; an EventSource comes back by itself, and begins with everything again."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    with suppress(ConnectionError):
        async with request.app[ASSIST].page() as messages:
            await response.write(b"retry: 1000\n\n")
            while True:
                try:
                    message = await asyncio.wait_for(messages.get(), 15)
                except TimeoutError:
                    await response.write(b": alive\n\n")
                    continue
                if message is None:
                    break
                await response.write(f"data: {json.dumps(message)}\n\n".encode())
    return response


async def following(app: web.Application):
    task = asyncio.create_task(app[ASSIST].follow(os.environ["BRIDGE_URL"], os.environ["BRIDGE_TOKEN"]))
    task.add_done_callback(stop_if_it_failed)
    yield
    task.cancel()


def stop_if_it_failed(task: asyncio.Task) -> None:
    """A token that the bridge does not take does not get better by waiting."""
    if not task.cancelled() and (error := task.exception()):
        print(f"cannot go on: {error}", flush=True)
        raise web.GracefulExit


app = web.Application()
app[ASSIST] = Assist(Rules(Path(os.environ.get("HINTS", HERE / "hints.json"))))
app.add_routes([web.get("/", index), web.get("/live", live)])
app.cleanup_ctx.append(following)
if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT", "3001")), print=None, shutdown_timeout=1.0)
