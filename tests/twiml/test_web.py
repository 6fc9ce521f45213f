"""The two doors over a real socket: who is let in, what is answered, what is passed on."""

import asyncio
import logging
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient
from yarl import URL

from twiml.document import twiml_bin
from twiml.errors import TwimlError
from twiml.signature import SIGNATURE_HEADER, sign_form
from twiml.token import Outcome, verify
from twiml.web import (
    FORM_LIMIT,
    STREAM_STATUS_PATH,
    VOICE_PATH,
    StreamStatus,
    VoiceSettings,
    base_answer,
    routes,
)

PUBLIC = "https://bridge.example.com"
AUTH_TOKEN = "the auth token"
SECRET = b"the token secret"
NOW = 1_700_000_000.0
CALL = "CA" + "1" * 32
STRICT = VoiceSettings(
    public_url=PUBLIC,
    auth_tokens=("an older auth token", AUTH_TOKEN),
    token_secret=SECRET,
    dial="+15551234567",
    clock=lambda: NOW,
)
OFF = replace(STRICT, signature="off", auth_tokens=())
WARN = replace(STRICT, signature="warn")

# As a captured webhook has them: some are empty, and stay.
VOICE_FORM = {
    "AccountSid": "AC" + "2" * 32,
    "ApiVersion": "2010-04-01",
    "CallSid": CALL,
    "CallStatus": "ringing",
    "Called": "+15550002",
    "CalledCity": "",
    "Caller": "+15550001",
    "Direction": "inbound",
    "From": "+15550001",
    "FromCity": "",
    "FromState": "CA",
    "To": "+15550002",
}
STATUS_FORM = {
    "AccountSid": "AC" + "2" * 32,
    "CallSid": CALL,
    "StreamSid": "MZ" + "3" * 32,
    "StreamName": "MZ" + "3" * 32,
    "StreamEvent": "stream-started",
    "Timestamp": "2024-11-29T00:09:39.602648368Z",
}

Client = TestClient[web.Request, web.Application]
Serve = Callable[..., Awaitable[Client]]


class Record:
    """Keeps what the status callback reports."""

    def __init__(self) -> None:
        self.statuses: list[StreamStatus] = []

    async def __call__(self, status: StreamStatus) -> None:
        self.statuses.append(status)


@pytest.fixture
def record() -> Record:
    return Record()


@pytest.fixture
def serve(aiohttp_client: AiohttpClient, record: Record) -> Serve:
    async def start(settings: VoiceSettings = STRICT) -> Client:
        app = web.Application()
        app.add_routes(routes(settings, record))
        return await aiohttp_client(app)

    return start


def signed(path: str, form: dict[str, str], token: str = AUTH_TOKEN, base: str = PUBLIC) -> dict[str, str]:
    return {SIGNATURE_HEADER: sign_form(token, base + path, form)}


async def post(client: Client, path: str, form: dict[str, str], **options: Any) -> aiohttp.ClientResponse:
    return await client.post(path, data=form, headers=signed(path, form), **options)


async def parameters(response: aiohttp.ClientResponse) -> dict[str, str]:
    root = ET.fromstring(await response.text())
    return {element.attrib["name"]: element.attrib["value"] for element in root.iterfind("Start/Stream/Parameter")}


# -- the voice webhook


async def test_a_signed_call_is_answered_with_a_fork_and_the_next_verb(serve: Serve) -> None:
    response = await post(await serve(), VOICE_PATH, VOICE_FORM)
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/xml; charset=utf-8"
    root = ET.fromstring(await response.text())
    stream = root.find("Start/Stream")
    assert stream is not None
    assert stream.attrib == {
        "url": "wss://bridge.example.com/media/twilio",
        "track": "both_tracks",
        "statusCallback": "https://bridge.example.com/twiml/stream-status",
    }
    assert root.findtext("Dial/Number") == "+15551234567"


async def test_the_stream_is_told_who_calls_whom_and_gets_a_token_for_this_call(serve: Serve) -> None:
    client = await serve(replace(STRICT, speakers={"outbound": "agent"}))
    told = await parameters(await post(client, VOICE_PATH, VOICE_FORM))
    token = told.pop("bridge.token")
    assert told == {
        "bridge.from": "+15550001",
        "bridge.to": "+15550002",
        "bridge.direction": "inbound",
        "speaker.outbound": "agent",
    }
    assert verify(SECRET, token, CALL, NOW) is Outcome.VALID
    assert verify(SECRET, token, "CA" + "9" * 32, NOW) is Outcome.WRONG_CALL
    assert verify(SECRET, token, CALL, NOW + STRICT.token_lifetime) is Outcome.EXPIRED


@pytest.mark.parametrize("direction", ["inbound", "outbound-api", "outbound-dial"])
async def test_the_direction_is_passed_on_as_twilio_says_it(serve: Serve, direction: str) -> None:
    told = await parameters(await post(await serve(), VOICE_PATH, {**VOICE_FORM, "Direction": direction}))
    assert told["bridge.direction"] == direction
    assert not any(name.startswith("speaker.") for name in told)


async def test_a_notice_a_pause_and_no_token(serve: Serve) -> None:
    settings = replace(STRICT, dial=None, say="This call & all others are transcribed.", pause=60, token_secret=None)
    response = await post(await serve(settings), VOICE_PATH, VOICE_FORM)
    root = ET.fromstring(await response.text())
    assert [verb.tag for verb in root] == ["Start", "Say", "Pause"]
    assert root.findtext("Say") == settings.say
    assert "bridge.token" not in await parameters(response)


async def test_a_caller_nobody_can_pass_on_is_left_out_and_the_call_goes_on(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    form = {**VOICE_FORM, "From": "sip:" + "x" * 600, "To": "a\0b", "Direction": ""}
    response = await post(await serve(), VOICE_PATH, form)
    assert response.status == 200
    assert set(await parameters(response)) == {"bridge.token"}
    assert caplog.messages.count("left out a stream parameter") == 2
    assert "xxx" not in caplog.text


async def test_without_a_usable_call_sid_there_is_no_answer(serve: Serve) -> None:
    client = await serve()
    for form in ({}, {"CallSid": ""}, {"CallSid": "../etc"}, {"CallSid": "C" * 65}, {"From": "+1555"}):
        for path in (VOICE_PATH, STREAM_STATUS_PATH):
            response = await post(client, path, form)
            assert response.status == 400
            assert "CallSid" in await response.text()


async def test_twilio_may_ask_by_get_and_with_a_slash(serve: Serve, record: Record) -> None:
    client = await serve()
    for path, form in ((VOICE_PATH, VOICE_FORM), (STREAM_STATUS_PATH, STATUS_FORM)):
        assert (await post(client, path + "/", form)).status in (200, 204)
        for spelled in (path, path + "/", path.replace("t", "%74", 1)):
            query = f"{spelled}?{urlencode({**form, 'tenant': 'a b'})}"
            response = await client.get(URL(query, encoded=True), headers=signed(query, {}))
            assert response.status in (200, 204), query
    assert [status.call_id for status in record.statuses] == [CALL] * 4


async def test_a_get_is_signed_over_its_query_alone(serve: Serve) -> None:
    client = await serve()
    query = f"{VOICE_PATH}?{urlencode(VOICE_FORM)}"
    for headers in (signed(VOICE_PATH, VOICE_FORM), signed(query + "&a=b", {}), signed(query, {"a": "b"}), {}):
        assert (await client.get(query, headers=headers)).status == 403
    response = await client.get(VOICE_PATH, headers=signed(VOICE_PATH, {}))
    assert (response.status, "CallSid" in await response.text()) == (400, True)


async def test_no_cache_keeps_an_answer_with_a_token(serve: Serve) -> None:
    assert (await post(await serve(), VOICE_PATH, VOICE_FORM)).headers["Cache-Control"] == "no-store"


async def test_any_other_method_is_refused(serve: Serve) -> None:
    client = await serve()
    for method in ("HEAD", "PUT", "DELETE", "OPTIONS"):
        assert (await client.request(method, VOICE_PATH)).status == 405


# -- who is let in


@pytest.mark.parametrize("path", [VOICE_PATH, STREAM_STATUS_PATH])
async def test_without_a_valid_signature_nobody_is_let_in(
    serve: Serve, record: Record, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    client = await serve()
    form = VOICE_FORM if path == VOICE_PATH else STATUS_FORM
    genuine = signed(path, form)[SIGNATURE_HEADER]
    for headers in (
        {},
        {SIGNATURE_HEADER: ""},
        {SIGNATURE_HEADER: genuine[:-1]},
        {SIGNATURE_HEADER: "é"},
        signed(path, form, token="another token"),
        signed(path, form, base="https://elsewhere.example.com"),
        signed(path, {**form, "From": "+15550009"}),
    ):
        response = await client.post(path, data=form, headers=headers)
        assert response.status == 403
        text = await response.text()
        assert "signature" in text
        assert text.count(".") == 1
    assert record.statuses == []
    assert caplog.messages.count("a webhook without Twilio's signature") == 7
    told = [vars(entry) for entry in caplog.records if entry.name == "twiml.web"]
    assert AUTH_TOKEN not in str(told)
    assert genuine not in str(told)


async def test_the_url_is_never_built_from_the_host_header(serve: Serve) -> None:
    client = await serve()
    lies = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    headers = {**lies, **signed(VOICE_PATH, VOICE_FORM)}
    response = await client.post(VOICE_PATH, data=VOICE_FORM, headers=headers)
    assert response.status == 200
    assert "evil" not in await response.text()
    headers = {**lies, **signed(VOICE_PATH, VOICE_FORM, base="http://evil.example")}
    assert (await client.post(VOICE_PATH, data=VOICE_FORM, headers=headers)).status == 403


async def test_each_auth_token_in_use_is_good(serve: Serve) -> None:
    client = await serve()
    for token in STRICT.auth_tokens:
        headers = signed(VOICE_PATH, VOICE_FORM, token=token)
        assert (await client.post(VOICE_PATH, data=VOICE_FORM, headers=headers)).status == 200


async def test_a_port_in_the_signed_url_is_found(serve: Serve) -> None:
    headers = signed(VOICE_PATH, VOICE_FORM, base=PUBLIC + ":443")
    assert (await (await serve()).post(VOICE_PATH, data=VOICE_FORM, headers=headers)).status == 200


async def test_a_public_url_with_a_path_behind_a_proxy_that_strips_it(serve: Serve) -> None:
    client = await serve(replace(STRICT, public_url=PUBLIC + "/base/"))
    headers = signed(VOICE_PATH, VOICE_FORM, base=PUBLIC + "/base")
    response = await client.post(VOICE_PATH, data=VOICE_FORM, headers=headers)
    assert "wss://bridge.example.com/base/media/twilio" in await response.text()


async def test_a_query_behind_the_voice_url_is_signed_too(serve: Serve) -> None:
    client = await serve()
    path = VOICE_PATH + "?tenant=a%20b&x="
    assert (await post(client, path, VOICE_FORM)).status == 200
    response = await client.post(path, data=VOICE_FORM, headers=signed(VOICE_PATH, VOICE_FORM))
    assert response.status == 403


async def test_repeated_empty_and_untrimmed_fields_are_all_signed(serve: Serve) -> None:
    fields = [("CallSid", CALL), ("Event", "b"), ("Event", "a "), ("Empty", ""), ("Plus", "a+b c&d")]
    by_hand = f"{PUBLIC}{VOICE_PATH}CallSid{CALL}EmptyEventa EventbPlusa+b c&d"
    headers = {
        SIGNATURE_HEADER: sign_form(AUTH_TOKEN, by_hand, {}),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    client = await serve()
    assert (await client.post(VOICE_PATH, data=urlencode(fields), headers=headers)).status == 200
    assert (await client.post(VOICE_PATH, data=urlencode(fields[:-1]), headers=headers)).status == 403


async def test_warn_lets_in_and_logs(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    client = await serve(WARN)
    assert (await client.post(VOICE_PATH, data=VOICE_FORM)).status == 200
    assert caplog.messages.count("a webhook without Twilio's signature") == 1
    assert (await post(client, VOICE_PATH, VOICE_FORM)).status == 200
    assert caplog.messages.count("a webhook without Twilio's signature") == 1


async def test_off_checks_nothing(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    response = await (await serve(OFF)).post(VOICE_PATH, data=VOICE_FORM)
    assert response.status == 200
    assert [entry for entry in caplog.records if entry.levelno >= logging.WARNING] == []


# -- bad bodies


@pytest.mark.parametrize("settings", [STRICT, OFF])
@pytest.mark.parametrize("path", [VOICE_PATH, STREAM_STATUS_PATH])
async def test_a_form_has_a_size(serve: Serve, settings: VoiceSettings, path: str) -> None:
    client = await serve(settings)
    form = {"CallSid": CALL, "Fill": ""}
    form["Fill"] = "x" * (FORM_LIMIT - len(urlencode(form)))
    assert len(urlencode(form)) == FORM_LIMIT
    assert (await post(client, path, form)).status in (200, 204)
    form["Fill"] += "x"
    response = await post(client, path, form)
    assert response.status == 413
    assert str(FORM_LIMIT) in await response.text()


async def test_a_form_without_a_length_has_a_size_too(serve: Serve) -> None:
    async def endless() -> Any:
        for _ in range(100):
            yield b"x" * 1024
            await asyncio.sleep(0)

    client = await serve(OFF)
    try:
        response = await client.post(VOICE_PATH, data=endless())
    except aiohttp.ClientError:
        return  # the door was shut while we were still talking
    assert response.status == 413


@pytest.mark.parametrize("body", [b"CallSid=\xff\xfe", b"\xff", b"a=1&" * 1001])
async def test_a_body_that_is_no_form_is_said_to_be_none(serve: Serve, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = await (await serve(OFF)).post(VOICE_PATH, data=body, headers=headers)
    assert response.status == 400
    assert "form" in await response.text()


async def test_a_header_of_octets_that_are_no_text_is_no_signature(serve: Serve) -> None:
    client = await serve()
    reader, writer = await asyncio.open_connection(client.host, client.port)
    body = urlencode(VOICE_FORM).encode()
    head = f"POST {VOICE_PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    writer.write(head.encode() + b"x-twilio-signature: \xff\r\n\r\n" + body)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.split(b" ", 2)[1] == b"403"


# -- the stream status callback


async def test_a_started_stream_is_passed_on(serve: Serve, record: Record, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="twiml.web")
    response = await post(await serve(), STREAM_STATUS_PATH, STATUS_FORM)
    assert response.status == 204
    assert record.statuses == [
        StreamStatus(
            call_id=CALL,
            event="stream-started",
            stream_id="MZ" + "3" * 32,
            error=None,
        )
    ]
    entry = next(entry for entry in caplog.records if entry.message == "stream status")
    assert (entry.levelname, vars(entry)["event"], vars(entry)["call_id"]) == ("INFO", "stream-started", CALL)


@pytest.mark.parametrize(
    ("event", "words", "level", "error"),
    [
        ("stream-stopped", None, "INFO", None),
        ("stream-error", "31920 handshake", "WARNING", "31920 handshake"),
        ("stream-error", None, "WARNING", "no reason given"),
        ("stream-failed", None, "WARNING", "no reason given"),
        ("stream-of-2030", None, "INFO", None),
    ],
)
async def test_errors_are_warnings_and_news_are_not_errors(
    serve: Serve,
    record: Record,
    caplog: pytest.LogCaptureFixture,
    event: str,
    words: str | None,
    level: str,
    error: str | None,
) -> None:
    caplog.set_level(logging.INFO, logger="twiml.web")
    form = {**STATUS_FORM, "StreamEvent": event} | ({"StreamError": words} if words else {})
    assert (await post(await serve(), STREAM_STATUS_PATH, form)).status == 204
    assert [(status.event, status.error) for status in record.statuses] == [(event, error)]
    entry = next(entry for entry in caplog.records if entry.message == "stream status")
    assert (entry.levelname, vars(entry)["error"]) == (level, error)


async def test_a_status_with_nothing_but_its_call_is_passed_on(serve: Serve, record: Record) -> None:
    await post(await serve(), STREAM_STATUS_PATH, {"CallSid": CALL})
    assert record.statuses == [StreamStatus(CALL, "", "", None)]


# -- settings


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (replace(STRICT, auth_tokens=()), "auth token"),
        (replace(WARN, auth_tokens=("",)), "auth token"),
        (replace(STRICT, public_url="http://bridge.example.com"), "https"),
        (replace(STRICT, stream_path="/media?x"), "path"),
        (replace(STRICT, dial="555"), "dial target"),
        (replace(STRICT, pause=0), "at least one"),
        (replace(STRICT, speakers={"inbound": "y" * 500}), "too long"),
        (replace(STRICT, speakers={"inbound_track": "me"}), "inbound and outbound"),
    ],
)
def test_settings_that_cannot_work_stop_the_start(settings: VoiceSettings, says: str, record: Record) -> None:
    with pytest.raises(TwimlError, match=says):
        routes(settings, record)


def test_settings_do_not_show_their_secrets() -> None:
    shown = repr(STRICT)
    assert AUTH_TOKEN not in shown
    assert SECRET.decode() not in shown


def test_the_same_settings_make_a_bin() -> None:
    xml = twiml_bin(base_answer(STRICT))
    assert "{{From}}" in xml
    assert "token" not in xml
    assert "<Number>+15551234567</Number>" in xml
