"""The handshake over a real socket: auth forms, headers, refusals, faults, notices and saved files."""

import asyncio
import json
import uuid
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bridge.audio import interleave
from bridge.local.deepgram import Faults, LocalDeepgram, serve
from bridge.local.script import CodedRecognizers, TimedRecognizers, encode, random_script
from tests.fakes.waiting import TICK

SCRIPT = random_script(3, 4)
AUDIO = interleave(*encode(SCRIPT, 4.0))
LISTEN = "/v1/listen?model=nova-3&encoding=mulaw&sample_rate=8000&channels=2&multichannel=true"
KEY = {"Authorization": "Token key"}


def server(**options: Any) -> LocalDeepgram:
    return LocalDeepgram(CodedRecognizers(SCRIPT), **options)


def dial(server: LocalDeepgram, path: str = LISTEN, **options: Any) -> connect:
    return connect(server.url + path, **({"additional_headers": KEY} | options))


async def refused(server: LocalDeepgram, path: str = LISTEN, **options: Any) -> InvalidStatus:
    with pytest.raises(InvalidStatus) as error:
        await dial(server, path, **options)
    return error.value


async def transcribe(ws: ClientConnection) -> list[dict[str, Any]]:
    """Everything up to the close."""
    await ws.send(AUDIO)
    await ws.send('{"type":"CloseStream"}')
    return [json.loads(message) async for message in ws]


def said(messages: list[dict[str, Any]]) -> list[str]:
    return [
        word["word"]
        for message in messages
        if message["type"] == "Results" and message["is_final"]
        for word in message["channel"]["alternatives"][0]["words"]
    ]


async def test_a_connection_from_end_to_end():
    async with server() as local, dial(local) as ws:
        messages = await transcribe(ws)
    assert sorted(said(messages)) == sorted(word.word for word in SCRIPT.words)
    assert messages[-1]["type"] == "Metadata"
    assert (ws.close_code, ws.close_reason) == (1000, "")


# Handshakes


async def test_success_says_request_id_and_project_id():
    async with server() as local, dial(local) as one, dial(local) as other:
        headers = [ws.response.headers for ws in (one, other)]
        ids = [str(uuid.UUID(each["dg-request-id"])) for each in headers]
        assert ids == [connection.request_id for connection in local.connections]
        assert ids[0] != ids[1]
        assert uuid.UUID(headers[0]["dg-project-id"]) == uuid.UUID(headers[1]["dg-project-id"])


async def test_the_request_id_is_that_of_every_message():
    async with server() as local, dial(local) as ws:
        messages = await transcribe(ws)
    ids = {message["metadata"]["request_id"] for message in messages if message["type"] == "Results"}
    assert ids == {messages[-1]["request_id"]} == {ws.response.headers["dg-request-id"]}


@pytest.mark.parametrize("scheme", ["Token", "token", "Bearer", "bearer"])
async def test_keys_in_the_header(scheme):
    header = {"Authorization": f"{scheme} secret"}
    async with server(key="secret") as local, dial(local, additional_headers=header) as ws:
        assert ws.subprotocol is None


@pytest.mark.parametrize("scheme", ["token", "bearer"])
async def test_keys_as_subprotocol_and_the_javascript_sdks_four_items(scheme):
    async with server(key="secret") as local:
        for items in ([scheme, "secret"], [scheme, "secret", "x-deepgram-session-id", str(uuid.uuid4())]):
            async with dial(local, additional_headers={}, subprotocols=items) as ws:
                assert ws.subprotocol == scheme


async def test_a_client_without_subprotocol_is_not_refused_for_it():
    async with server() as local, dial(local, subprotocols=None) as ws:
        assert "sec-websocket-protocol" not in ws.response.headers


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Token wrong"}, {"Authorization": "secret"}])
async def test_a_wrong_key_is_401_with_headers_and_body(headers):
    async with server(key="secret") as local:
        response = (await refused(local, additional_headers=headers)).response
        body = json.loads(response.body)
        assert response.status_code == 401
        assert body == {
            "err_code": "INVALID_AUTH",
            "err_msg": "Invalid credentials.",
            "request_id": response.headers["dg-request-id"],
        }
        assert response.headers["dg-error"] == "Invalid credentials."
        assert local.connections[0].refusal.status == 401


async def test_bad_parameters_are_400():
    async with server() as local:
        response = (await refused(local, f"{LISTEN}&utterance_end_ms=1000")).response
        assert response.status_code == 400
        assert response.headers["dg-error"] == json.loads(response.body)["err_msg"]
        assert "interim_results=true" in response.headers["dg-error"]


async def test_a_quoted_value_cannot_break_out_of_the_header():
    async with server() as local:
        response = (await refused(local, "/v1/listen?encoding=a%0d%0aSet-Cookie:+x%C3%A4")).response
        assert "Set-Cookie" not in response.headers
        assert "`a??Set-Cookie: x?`" in response.headers["dg-error"]


async def test_permessage_deflate_is_not_taken_up():
    async with server() as local, dial(local) as ws:
        assert "sec-websocket-extensions" not in ws.response.headers


async def test_another_path_is_not_found():
    async with server() as local:
        assert (await refused(local, "/v3/listen")).response.status_code == 404


# Faults at the handshake


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "Bad Request"),
        (401, "INVALID_AUTH"),
        (402, "ASR_PAYMENT_REQUIRED"),
        (403, "INSUFFICIENT_PERMISSIONS"),
        (429, "TOO_MANY_REQUESTS"),
        (503, "Service Unavailable"),
    ],
)
async def test_refusals_on_request(status, code):
    async with server(faults=Faults(refuse=status)) as local:
        response = (await refused(local)).response
        assert response.status_code == status
        assert json.loads(response.body)["err_code"] == code


async def test_the_first_connections_are_refused_and_the_next_is_not():
    async with server(faults=Faults(refuse=503, first=2)) as local:
        await refused(local)
        await refused(local)
        async with dial(local):
            pass
        assert [connection.refusal is not None for connection in local.connections] == [True, True, False]


async def test_faults_can_change_while_it_runs_and_for_single_connections():
    async with server() as local:
        local.faults_of[1] = Faults(refuse=429)
        async with dial(local):
            pass
        assert (await refused(local)).response.status_code == 429
        local.faults = Faults(refuse=403)
        assert (await refused(local)).response.status_code == 403
        local.faults = Faults()
        async with dial(local):
            pass


async def test_a_handshake_that_takes_its_time():
    async with server(faults=Faults(handshake_delay=0.15)) as local:
        loop = asyncio.get_running_loop()
        started = loop.time()
        async with dial(local):
            assert loop.time() - started >= 0.15 - TICK


async def test_a_client_that_leaves_before_its_answer_is_no_error(caplog):
    async with server(faults=Faults(handshake_delay=0.1)) as local:
        dialling = asyncio.create_task(dial(local).__aenter__())
        connection = await local.connection(0)
        dialling.cancel()
        await asyncio.gather(dialling, return_exceptions=True)
        await connection.ended.wait()

    assert [record for record in caplog.records if record.exc_info] == []


# Looking at it


async def test_what_tests_can_see():
    async with server() as local, dial(local, f"{LISTEN}&tag=a&tag=b") as ws:
        connection = await local.connection(0)
        await ws.send(AUDIO[:1000])
        await ws.send(AUDIO[1000:3000])
        await ws.send('{"type":"KeepAlive"}')
        await ws.send('{"type":"CloseStream"}')
        received = [message async for message in ws]
        await connection.ended.wait()
        assert connection.request.model == "nova-3"
        assert connection.query[-2:] == (("tag", "a"), ("tag", "b"))
        assert connection.headers["authorization"] == "Token key"
        assert connection.audio == AUDIO[:3000]
        assert [octets for _, octets in connection.arrivals] == [1000, 2000]
        assert connection.texts == ['{"type":"KeepAlive"}', '{"type":"CloseStream"}']
        assert [text for _, text in connection.sent] == received
        assert connection.opened_at <= connection.arrivals[0][0] <= connection.closed_at
        assert connection.close_code == 1000
        assert "Token" not in repr(connection)


async def test_nothing_is_remembered_unless_wanted():
    async with server(remember=False) as local:
        async with dial(local) as ws:
            connection = await local.connection(0)
            await transcribe(ws)
        await connection.ended.wait()
        assert (connection.audio, connection.texts, connection.sent) == (b"", [], [])
        assert local.connections == []
        assert local.accepted == 1


# Files


async def test_audio_is_saved_raw_and_as_wav(tmp_path):
    async with server(save_dir=tmp_path) as local, dial(local) as ws:
        await transcribe(ws)
        raw, wav = sorted(tmp_path.iterdir())
        assert (raw.suffix, wav.suffix) == (".raw", ".wav")
        assert raw.read_bytes() == AUDIO
        assert wav.read_bytes().endswith(AUDIO)
        assert local.connections[0].request_id[:8] in wav.name


async def test_an_abrupt_disconnect_loses_no_file(tmp_path):
    async with server(save_dir=tmp_path) as local:
        ws = await dial(local)
        connection = await local.connection(0)
        await ws.send(AUDIO[:16000])
        await ws.ping()
        while len(connection.audio) < 16000:
            await asyncio.wait_for(await ws.ping(), 2)
        ws.transport.abort()
        await asyncio.wait_for(connection.ended.wait(), 2)
        raw, wav = sorted(tmp_path.iterdir())
        assert raw.read_bytes() == AUDIO[:16000]
        assert wav.read_bytes().endswith(b"data\x80\x3e\x00\x00" + AUDIO[:16000])
        assert connection.close_code == 1006


async def test_where_audio_cannot_be_kept_it_is_heard_all_the_same(tmp_path, caplog):
    (tmp_path / "calls").write_text("a file")
    async with server(save_dir=tmp_path / "calls") as local, dial(local) as ws:
        assert len(said(await transcribe(ws))) == len(SCRIPT.words)
    assert "audio cannot be kept" in caplog.messages


async def test_stopping_the_server_cuts_what_is_open_and_saves_it(tmp_path):
    local = server(save_dir=tmp_path)
    await local.start()
    ws = await dial(local)
    await ws.send(AUDIO[:16000])
    await asyncio.wait_for(await ws.ping(), 2)
    await asyncio.wait_for(local.stop(), 2)
    with pytest.raises(ConnectionClosed):
        await ws.recv()
    assert sorted(path.stat().st_size for path in tmp_path.iterdir())[0] == 16000


# The streaming test suite's clients


async def test_with_notices_any_path_is_served_without_a_key(tmp_path):
    async with server(notices=True, save_dir=tmp_path) as local:
        path = "/?encoding=mulaw&sample_rate=8000&channels=2&multichannel=true"
        async with dial(local, path, additional_headers={}) as ws:
            messages = await transcribe(ws)
        assert messages[0] == {"msg": "New websocket connection opened"}
        assert {"total_bytes": len(AUDIO)} in messages
        (filename,) = [message["filename"] for message in messages if "filename" in message]
        assert messages[-1]["type"] == "Metadata"
    (wav,) = tmp_path.glob("*.wav")
    assert filename == str(wav)
    assert wav.read_bytes().endswith(AUDIO)


async def test_with_notices_a_key_that_is_set_is_still_asked_for():
    async with server(notices=True, key="secret") as local:
        assert (await refused(local)).response.status_code == 401


# Serving


async def test_serve_serves_until_it_is_cancelled():
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    told: Callable[[str], None] = ready.set_result
    task = asyncio.create_task(serve(TimedRecognizers(SCRIPT), host="127.0.0.1", port=0, ready=told))
    url = await asyncio.wait_for(ready, 60)
    async with connect(url + LISTEN, additional_headers=KEY) as ws:
        assert len(said(await transcribe(ws))) == len(SCRIPT.words)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_plain_get_is_no_upgrade():
    async with server() as local, aiohttp.ClientSession() as http:
        response = await http.get(local.url.replace("ws", "http", 1) + LISTEN, headers=KEY)
        assert response.status == 400


async def test_two_servers_at_once_and_one_port_again():
    async with server() as one, server() as other:
        assert one.port != other.port
        port = one.port
    async with server(port=port) as again, dial(again):
        assert again.port == port
