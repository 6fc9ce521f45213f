"""What a connection offers to tests, apart from what the server's tests look at: cutting and closing it by hand."""

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from bridge.local.deepgram import Connection, LocalDeepgram
from bridge.local.script import CodedRecognizers, random_script

URL = "/v1/listen?encoding=mulaw&sample_rate=8000"
KEY = {"Authorization": "Token key"}


async def test_drop_cuts_the_tcp_connection():
    async with LocalDeepgram(CodedRecognizers(random_script(1, 2))) as local:
        ws = await connect(local.url + URL, additional_headers=KEY)
        connection = await local.connection(0)
        connection.drop()
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(ws.recv(), 60)
        assert closed.value.rcvd is None
        await asyncio.wait_for(connection.ended.wait(), 60)
        assert connection.close_code == 1006


async def test_close_closes_the_websocket():
    async with LocalDeepgram(CodedRecognizers(random_script(1, 2))) as local:
        ws = await connect(local.url + URL, additional_headers=KEY)
        (await local.connection(0)).close(1012, "restart")
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(ws.recv(), 60)
        assert (ws.close_code, ws.close_reason) == (1012, "restart")


async def test_before_the_handshake_there_is_nothing_to_cut():
    connection = Connection(0, "id", (), {})
    connection.drop()
    connection.close()
    assert not connection.ended.is_set()
