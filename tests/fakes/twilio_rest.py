"""Twilio's REST API on the loopback: the few resources `twiml.number` uses, with their traps.

It keeps numbers and calls, takes HTTP Basic credentials, answers errors in Twilio's shape, and can be told to answer
with any status, with rubbish, or not at all.
"""

import asyncio
import base64
import re
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer

ACCOUNT = "AC" + "0" * 32
AUTH_TOKEN = "the-auth-token-of-the-account"
ROOT = "/2010-04-01/Accounts/{account}"


def number(sid: str, phone_number: str, **config: str | None) -> dict[str, Any]:
    """A number as Twilio lists it."""
    return {
        "sid": sid,
        "phone_number": phone_number,
        "friendly_name": phone_number,
        "voice_url": "",
        "voice_method": "POST",
        "voice_application_sid": "",
        "trunk_sid": None,
        **config,
    }


@dataclass
class FakeTwilioRest:
    """Runs as `async with FakeTwilioRest(...) as twilio`; then `twilio.url` is its address."""

    numbers: list[dict[str, Any]] = field(default_factory=list)
    applications: dict[str, str] = field(default_factory=dict)
    """TwiML Apps: the voice URL of each, by its id."""
    calls: set[str] = field(default_factory=set)
    """Calls in progress."""
    answer_with: tuple[int, str] | None = None
    """Status and body for every request, whatever it asks."""
    silent: bool = False
    """Takes requests and answers none until the server ends."""
    recordings: dict[str, tuple[dict[str, Any], bytes]] = field(default_factory=dict)
    """By id: what is said of each, and its audio."""
    call_details: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Path below the account, and query, of every GET."""
    posted: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path below the account and form of every POST."""

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get(ROOT + "/IncomingPhoneNumbers.json", self._list_numbers),
                web.post(ROOT + "/IncomingPhoneNumbers/{sid}.json", self._update_number),
                web.get(ROOT + "/Applications.json", self._list_applications),
                web.post(ROOT + "/Calls/{sid}/Streams.json", self._create_stream),
                web.post(ROOT + "/Calls/{sid}/Streams/{stream}.json", self._stop_stream),
                web.get(ROOT + "/Recordings/{sid}.json", self._show_recording),
                web.get(ROOT + "/Recordings/{sid}.wav", self._play_recording),
                web.get(ROOT + "/Calls/{sid}.json", self._show_call),
            ]
        )
        self._released = asyncio.Event()
        self._server = TestServer(app, host="127.0.0.1")
        await self._server.start_server()
        self.url = str(self._server.make_url("")).rstrip("/")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        await self._server.close()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.silent:
            await self._released.wait()
        if self.answer_with is not None:
            status, body = self.answer_with
            headers = {"Location": "/elsewhere"} if 300 <= status < 400 else None
            return web.Response(status=status, text=body, content_type="application/json", headers=headers)
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        if (scheme, base64.b64decode(credentials)) != ("Basic", f"{ACCOUNT}:{AUTH_TOKEN}".encode()):
            return _error(401, 20003, "Authenticate")
        below = request.path.partition(f"{ACCOUNT}/")[2]
        if request.method == "GET":
            self.asked.append(f"{below}?{request.query_string}".rstrip("?"))
        if request.method == "POST":
            self.posted.append((below, {key: str(value) for key, value in (await request.post()).items()}))
        response: web.StreamResponse = await handler(request)
        return response

    async def _list_numbers(self, request: web.Request) -> web.Response:
        # As Twilio's: a partial match with * for any characters.
        wanted = request.query.get("PhoneNumber", "")
        pattern = re.escape(wanted).replace(r"\*", ".*")
        found = [entry for entry in self.numbers if re.search(pattern, entry["phone_number"])]
        size = int(request.query.get("PageSize", "50"))
        return web.json_response({"incoming_phone_numbers": found[:size], "page": 0, "next_page_uri": None})

    async def _list_applications(self, request: web.Request) -> web.Response:
        found = [{"sid": sid, "voice_url": url, "voice_method": "POST"} for sid, url in self.applications.items()]
        size = int(request.query.get("PageSize", "50"))
        return web.json_response({"applications": found[:size], "page": 0, "next_page_uri": None})

    async def _update_number(self, request: web.Request) -> web.Response:
        fields = {
            "VoiceUrl": "voice_url",
            "VoiceMethod": "voice_method",
            "VoiceApplicationSid": "voice_application_sid",
            "TrunkSid": "trunk_sid",
        }
        for entry in self.numbers:
            if entry["sid"] == request.match_info["sid"]:
                for key, value in (await request.post()).items():
                    entry[fields[key]] = value
                return web.json_response(entry)
        return _error(404, 20404, "The requested resource was not found")

    async def _show_recording(self, request: web.Request) -> web.Response:
        found = self.recordings.get(request.match_info["sid"])
        return web.json_response(found[0]) if found else _error(404, 20404, "The requested resource was not found")

    async def _play_recording(self, request: web.Request) -> web.Response:
        return web.Response(body=self.recordings[request.match_info["sid"]][1], content_type="audio/x-wav")

    async def _show_call(self, request: web.Request) -> web.Response:
        found = self.call_details.get(request.match_info["sid"])
        return web.json_response(found) if found else _error(404, 20404, "The requested resource was not found")

    async def _create_stream(self, request: web.Request) -> web.Response:
        call = request.match_info["sid"]
        if call not in self.calls:
            return _error(404, 20404, "The requested resource was not found")
        return web.json_response(
            {"sid": "MZ" + "1" * 32, "call_sid": call, "account_sid": ACCOUNT, "status": "in-progress"},
            status=201,
        )

    async def _stop_stream(self, request: web.Request) -> web.Response:
        call, stream = request.match_info["sid"], request.match_info["stream"]
        form = await request.post()
        if form.get("Status") != "stopped":
            return _error(400, 20001, "Invalid or missing Status")
        if not self.stop(call, stream):
            return _error(404, 20404, "The requested resource was not found")
        return web.json_response({"sid": stream, "call_sid": call, "account_sid": ACCOUNT, "status": "stopped"})

    def stop(self, call: str, stream: str) -> bool:
        """Whether there is such a stream to stop."""
        return call in self.calls


def _error(status: int, code: int, message: str) -> web.Response:
    body = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return web.json_response(body, status=status)
