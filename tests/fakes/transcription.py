"""A consumer of Twilio's Real-Time Transcription, written as Twilio's documentation does: it knows nothing of ours."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from twilio.request_validator import RequestValidator


@dataclass
class Heard:
    """What such a program keeps of a call."""

    transcription: str
    stopped: bool = False
    errors: list[tuple[str, str]] = field(default_factory=list)
    lines: dict[int, tuple[str, str]] = field(default_factory=dict)
    """What was said, by `SequenceId`: track and words."""
    partial: dict[str, str] = field(default_factory=dict)
    """What each track is saying."""

    @property
    def said(self) -> list[tuple[str, str]]:
        return [self.lines[number] for number in sorted(self.lines)]


class Consumer:
    """`async with Consumer(token) as consumer:` listens at `consumer.url`. `answers`: statuses of the next posts."""

    def __init__(self, token: str) -> None:
        self.calls: dict[str, Heard] = {}
        self.forms: list[dict[str, str]] = []
        """Those that were accepted."""
        self.refused: list[dict[str, str]] = []
        self.unsigned = 0
        self.answers: list[int] = []
        self._validator = RequestValidator(token)
        self._news = asyncio.Event()
        self._port = 0

    async def __aenter__(self) -> "Consumer":
        app = web.Application()
        app.router.add_post("/transcription", self._post)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/transcription?app=a%2Fb"

    @property
    def numbers(self) -> list[int]:
        return [int(form["SequenceId"]) for form in self.forms]

    async def until(self, condition: Any, seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def _post(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self._news.set()
        if not self._validator.validate(self.url, form, request.headers.get("X-Twilio-Signature", "")):
            self.unsigned += 1
            return web.Response(status=403)
        if (status := self.answers.pop(0) if self.answers else 200) != 200:
            self.refused.append(form)
            return web.Response(status=status)
        self.forms.append(form)
        self._take(form)
        return web.Response(text="<Response/>", content_type="text/xml")

    def _take(self, form: dict[str, str]) -> None:
        if form["TranscriptionEvent"] == "transcription-started":
            self.calls[form["CallSid"]] = Heard(form["TranscriptionSid"])
            return
        call = self.calls[form["CallSid"]]
        assert call.transcription == form["TranscriptionSid"]
        match form["TranscriptionEvent"]:
            case "transcription-content":
                words = json.loads(form["TranscriptionData"])["transcript"]
                if form["Final"] == "true":
                    call.lines[int(form["SequenceId"])] = form["Track"], words
                    call.partial.pop(form["Track"], None)
                else:
                    call.partial[form["Track"]] = words
            case "transcription-stopped":
                call.stopped = True
            case "transcription-error":
                call.errors.append((form["TranscriptionErrorCode"], form["TranscriptionError"]))
