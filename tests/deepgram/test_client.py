"""The client's shell against a real socket: the local Deepgram server, reading coded audio."""

import asyncio
import gc
from dataclasses import replace
from random import Random

import pytest
from websockets.asyncio.server import serve

from bridge.audio import interleave, samples, seconds
from bridge.deepgram import client, options
from bridge.deepgram.breaker import CircuitBreakerPolicy
from bridge.deepgram.client import Client
from bridge.deepgram.exchange import AudioLost, Finished, Interrupted, Resumed, SessionPolicy
from bridge.deepgram.messages import CLOSE_STREAM, Refusal
from bridge.deepgram.origins import Origin, Origins
from bridge.deepgram.prober import Prober
from bridge.deepgram.session import Session
from bridge.egress import DIRECT, Egress, Route
from bridge.local.deepgram import Faults, LocalDeepgram
from bridge.local.script import CodedRecognizers, encode, random_script
from bridge.recognition import Result
from tests.fakes import certificates
from tests.fakes.http import server
from tests.fakes.origins import at
from tests.fakes.proxy import Proxy

SCRIPT = random_script(5, 12.0)
AUDIO = interleave(*encode(SCRIPT, 12.0))
NEVER = 3600.0
QUICK = SessionPolicy(speed=1000.0, burst=60.0, first_retry=0.01, flush=NEVER)
PATIENT = replace(QUICK, keep_alive=NEVER)  # no timer helps out
BRIEF = replace(QUICK, flush=0.2)  # where nobody is going to answer
CHUNK = 960
REQUEST = f"/v1/listen?{options.parse('').query()}"


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


class Caller:
    """Feeds a client and notes what comes back."""

    def __init__(self, url, policy=QUICK, key="key", origins=None, on_event=None, route=DIRECT, **how):
        self.happenings = []
        self.client = Client(
            Session(policy, Random(1)),
            origins=origins or at(url, key=key, route=route),
            request=REQUEST,
            call_id="CA1",
            on_event=on_event or self.happenings.append,
            **how,
        )
        self.client.start()

    def say(self, audio=AUDIO):
        for start in range(0, len(audio), CHUNK):
            self.client.receive_audio(audio[start : start + CHUNK])

    async def end(self, **how):
        self.client.finish(**how)
        async with asyncio.timeout(60):
            await self.client.wait_ended()

    async def until(self, kind):
        await until(lambda: any(isinstance(event, kind) for event in self.happenings))

    async def connected(self):
        await until(lambda: self.client.session.journal.requests)

    def words(self, channel):
        return [
            (word.word, seconds(word.span.start))
            for event in self.happenings
            if isinstance(event, Result) and event.is_final and event.channel == channel
            for word in event.words
        ]


def spoken(channel):
    return [(word.word, round(word.start, 3)) for word in SCRIPT.channels[channel]]


@pytest.fixture
async def deepgram():
    async with LocalDeepgram(CodedRecognizers(SCRIPT)) as server:
        yield server


async def test_every_word_comes_back_on_its_channel_at_its_time(deepgram):
    caller = Caller(deepgram.url)
    caller.say()
    await caller.end()

    assert caller.words(0) == spoken(0)
    assert caller.words(1) == spoken(1)
    assert caller.happenings[-1] == Finished()


async def test_the_request_carries_key_and_format_and_the_audio_arrives_whole(deepgram):
    caller = Caller(deepgram.url, key="sesame")
    caller.say()
    await caller.end()
    (connection,) = deepgram.connections

    assert connection.headers["Authorization"] == "Token sesame"
    assert ("multichannel", "true") in connection.query
    assert bytes(connection.audio) == AUDIO
    assert connection.close_code == 1000


async def test_audio_that_comes_before_the_socket_is_open_is_not_lost(deepgram):
    deepgram.faults = Faults(handshake_delay=0.3)
    caller = Caller(deepgram.url)
    caller.say()
    await caller.end()

    assert caller.words(0) == spoken(0)


async def test_what_is_said_is_heard_while_the_call_goes_on(deepgram):
    caller = Caller(deepgram.url, PATIENT)
    await caller.connected()
    caller.say()
    await caller.until(Result)
    await caller.end()


@pytest.mark.parametrize(("how", "covered"), [({}, True), ({"cut": True}, False)])
async def test_a_word_that_the_end_of_the_audio_cuts_is_left_to_what_follows_it(deepgram, how, covered):
    word = SCRIPT.words[10]
    caller = Caller(deepgram.url, replace(QUICK, kept=True))
    caller.say(AUDIO[: 2 * samples((word.start + word.end) / 2)])
    await caller.end(**how)

    assert (caller.happenings[-1] == Finished()) is covered


@pytest.mark.parametrize("handshake_delay", [0.0, 0.1])
async def test_what_is_given_up_leaves_no_socket(deepgram, handshake_delay):
    deepgram.faults = Faults(handshake_delay=handshake_delay, metadata=False, close=False)
    caller = Caller(deepgram.url)
    caller.say(AUDIO[:16_000])
    connection = await deepgram.connection(0)
    if not handshake_delay:
        await caller.connected()
    caller.client.abort()
    assert isinstance(caller.happenings[-1], Finished)

    async with asyncio.timeout(60):
        await caller.client.wait_ended()
        await connection.ended.wait()


async def test_when_it_has_ended_nothing_of_it_goes_on(deepgram):
    deepgram.faults = Faults(first=1, drop_after=6.0)
    caller = Caller(deepgram.url)
    caller.say()
    await caller.end()

    def going_on():
        return [task for task in asyncio.all_tasks() if task.get_coro().cr_code.co_filename == client.__file__]

    await until(lambda: not going_on())


async def test_a_timer_that_is_due_already_can_be_armed_again(deepgram):
    caller = Caller(deepgram.url, policy=replace(QUICK, flush=0.0))
    caller.client.finish()  # the time for the last results is over at once
    caller.say()
    async with asyncio.timeout(60):
        await caller.client.wait_ended()

    assert caller.happenings[-1] == Finished()


async def test_a_socket_that_deepgram_closes_tells_why_and_whose_it_was(deepgram):
    deepgram.faults = Faults(first=1, close_after=6.0, close_code=1011, close_reason="NET-0001")
    caller = Caller(deepgram.url)
    caller.say()
    await caller.until(Resumed)
    await caller.end()
    interrupted, resumed = (event for event in caller.happenings if isinstance(event, Interrupted | Resumed))
    first, second = deepgram.connections

    assert (interrupted.status, interrupted.reason, interrupted.request_id) == (1011, "NET-0001", first.request_id)
    assert resumed.request_id == second.request_id


async def test_a_dropped_socket_is_replaced_and_no_word_is_lost_or_doubled(deepgram):
    deepgram.faults = Faults(first=1, drop_after=6.0)
    caller = Caller(deepgram.url)
    caller.say()
    await caller.end()

    assert caller.words(0) == spoken(0)
    assert caller.words(1) == spoken(1)
    assert len(deepgram.connections) == 2
    assert [type(event) for event in caller.happenings if isinstance(event, Interrupted | Resumed)] == [
        Interrupted,
        Resumed,
    ]


@pytest.mark.parametrize(("status", "reason"), [(401, "Invalid credentials."), (402, "credits"), (400, "Bad Request")])
async def test_a_refusal_for_good_tells_deepgrams_reason_and_is_not_tried_again(deepgram, status, reason):
    deepgram.faults = Faults(refuse=status)
    caller = Caller(deepgram.url, BRIEF)
    caller.say()
    await caller.until(Interrupted)
    (interruption,) = caller.happenings

    assert (interruption.status, interruption.retry) == (status, False)
    assert reason in interruption.reason
    assert interruption.request_id
    await caller.end()
    assert caller.happenings[-1] == Finished(((0, (0, 96_000)), (1, (0, 96_000))))
    assert len(deepgram.connections) == 1


async def test_too_many_requests_are_tried_again(deepgram):
    deepgram.faults = Faults(first=2, refuse=429)
    caller = Caller(deepgram.url)
    caller.say()
    await caller.until(Resumed)
    await caller.end()

    assert caller.words(0) == spoken(0)
    assert len(deepgram.connections) == 3


async def test_a_socket_that_opens_closes_the_breaker(deepgram):
    deepgram.faults = Faults(first=1, refuse=429)
    origins = at(deepgram.url, breaker=CircuitBreakerPolicy(failures=1, first_probe=0.01))
    caller = Caller(deepgram.url, origins=origins)
    await caller.until(Interrupted)
    assert not origins.is_closed
    await caller.connected()
    assert origins.is_closed
    await caller.end()


async def test_nobody_there_is_a_reason_too():
    caller = Caller("ws://127.0.0.1:1", BRIEF)
    await caller.until(Interrupted)
    await caller.end()

    assert caller.happenings[0].retry
    assert (caller.happenings[0].status, caller.happenings[0].reason) == (None, "connect (ECONNREFUSED)")


@pytest.mark.parametrize("url", ["ws://127.0.0.1:port", "http://127.0.0.1:1", "ws://"])
async def test_an_address_that_is_none_is_a_reason_that_does_not_quote_it(url):
    caller = Caller(url, BRIEF)
    await caller.until(Interrupted)
    await caller.end()

    assert caller.happenings[0].reason == "protocol"


async def test_an_error_of_our_own_while_a_socket_is_read_is_a_lost_socket(deepgram, caplog):
    def fail_once(event):
        caller.happenings.append(event)
        if len(caller.happenings) == 1:
            raise RuntimeError("a bug")

    caller = Caller(deepgram.url, PATIENT, on_event=fail_once)
    caller.say()
    await caller.until(Resumed)
    await caller.end()

    assert [event.reason for event in caller.happenings if isinstance(event, Interrupted)] == ["a fault of the bridge"]
    assert caller.happenings[-1] == Finished()
    assert "a socket to deepgram failed" in caplog.text


async def test_a_flush_that_is_never_answered_is_bounded(deepgram):
    deepgram.faults = Faults(stop_answering_after=0.0, metadata=False, close=False)
    caller = Caller(deepgram.url, SessionPolicy(speed=1000.0, burst=60.0, flush=0.2))
    caller.say()
    await caller.end()

    assert caller.happenings[-1] == Finished(((0, (0, 96_000)), (1, (0, 96_000))))


async def test_a_socket_that_takes_no_audio_is_given_up(deepgram):
    deepgram.faults = Faults(first=1, stop_reading_after=0.0)
    caller = Caller(deepgram.url, SessionPolicy(speed=1e6, burst=6000.0, first_retry=0.01, window=6000.0, stall=0.2))
    async with asyncio.timeout(60):
        while not any(isinstance(event, Interrupted) for event in caller.happenings):
            caller.say()  # more and more, until the sockets' buffers are full
            await asyncio.sleep(0.01)
    await caller.until(Resumed)

    assert len(deepgram.connections) == 2
    caller.client.finish()


async def test_of_a_socket_that_was_given_up_nobody_complains_again(deepgram, caplog):
    deepgram.faults = Faults(stop_reading_after=0.0)
    rests = {"first_retry": NEVER, "longest_retry": NEVER}
    caller = Caller(deepgram.url, SessionPolicy(speed=1e6, burst=6000.0, window=6000.0, stall=0.05, **rests))
    async with asyncio.timeout(60):
        while not caller.happenings:
            caller.client.receive_audio(AUDIO)
            await asyncio.sleep(0.01)
    assert "deepgram takes no audio" in caplog.text
    caplog.clear()
    caller.client.receive_audio(AUDIO)

    assert caplog.text == ""
    caller.client.abort()


async def test_a_socket_that_takes_no_audio_is_given_the_time_that_it_may_take(deepgram):
    deepgram.faults = Faults(stop_reading_after=0.0)
    caller = Caller(deepgram.url, SessionPolicy(speed=1e6, burst=6000.0, window=6000.0, stall=NEVER, deaf=NEVER))
    await caller.connected()
    for _ in range(100):  # more than the sockets' buffers hold
        caller.client.receive_audio(AUDIO)
        await asyncio.sleep(0)

    assert caller.happenings == []
    caller.client.abort()


async def test_a_socket_that_had_nothing_to_take_for_long_takes_audio_again(deepgram):
    caller = Caller(deepgram.url, replace(PATIENT, stall=0.05))
    await caller.connected()
    caller.say(AUDIO[:16_000])
    await until(lambda: len(deepgram.connections[0].audio) == 16_000)
    await asyncio.sleep(0.1)  # longer than one frame may be waited for
    caller.say(AUDIO[16_000:])
    await caller.end()

    assert len(deepgram.connections) == 1
    assert caller.words(0) == spoken(0)


async def test_a_socket_that_hears_speech_and_says_nothing_is_replaced(deepgram):
    deepgram.faults = Faults(first=1, stop_answering_after=0.0)
    caller = Caller(deepgram.url, SessionPolicy(speed=1000.0, burst=60.0, first_retry=0.01, deaf=0.2))
    caller.say(AUDIO[: len(AUDIO) // 2 & ~1])
    await asyncio.wait_for(deepgram.connection(0), 60)
    await asyncio.sleep(0.3)  # so long nothing has been answered
    caller.say(AUDIO[len(AUDIO) // 2 & ~1 :])
    await caller.until(Resumed)
    await caller.end()

    assert caller.words(0) == spoken(0)
    assert caller.words(1) == spoken(1)


async def test_an_outage_longer_than_the_window_is_read_from_where_it_is_kept(deepgram):
    async def fetch(start, samples):
        return start, AUDIO[2 * start : 2 * (start + samples)]

    deepgram.faults = Faults(first=1, refuse=503)
    caller = Caller(
        deepgram.url,
        replace(PATIENT, first_retry=0.05, window=2.0, kept=True),
        fetch=fetch,
    )
    caller.say()
    await caller.until(Result)
    await caller.end()

    assert caller.words(0) == spoken(0)
    assert caller.words(1) == spoken(1)


async def test_what_is_kept_where_nobody_can_fetch_it_is_lost_and_told(deepgram):
    deepgram.faults = Faults(first=1, refuse=503)
    caller = Caller(deepgram.url, replace(PATIENT, first_retry=0.05, window=2.0, kept=True))
    caller.say()
    await caller.until(Resumed)
    await caller.end()

    lost = [event for event in caller.happenings if isinstance(event, AudioLost)]
    assert [(event.channel, event.span) for event in lost] == [(channel, (0, 80_160)) for channel in (0, 1)]
    assert bytes(deepgram.connections[1].audio) == AUDIO[2 * 80_160 :]


async def test_an_error_of_deepgrams_is_logged_once(caplog):
    async def complain(socket):
        for _ in range(2):
            await socket.send('{"type":"Error","variant":"SchemaError","description":"bad","message":"what we sent"}')
        async for text in socket:
            if text == CLOSE_STREAM:
                await socket.send('{"type":"Metadata"}')

    async with serve(complain, "127.0.0.1", 0) as peer:
        caller = Caller(f"ws://127.0.0.1:{peer.sockets[0].getsockname()[1]}")
        caller.say()
        await caller.end()
    (record,) = (record for record in caplog.records if record.levelname == "WARNING")

    assert (record.call_id, record.code, record.description) == ("CA1", "SchemaError", "bad")
    assert caller.client.session.journal.bad_messages == 2
    assert caller.happenings == [Finished(((0, (0, 96_000)), (1, (0, 96_000))))]  # Metadata is no final


async def test_while_the_gate_is_closed_deepgram_is_not_asked(deepgram):
    origins = at(deepgram.url)
    deepgram.faults = Faults(refuse=402)
    callers = [Caller(deepgram.url, BRIEF, origins=origins)]
    await callers[0].until(Interrupted)
    callers += [Caller(deepgram.url, BRIEF, origins=origins) for _ in range(5)]
    for caller in callers:
        await caller.until(Interrupted)
    await asyncio.gather(*(caller.end() for caller in callers))

    assert len(deepgram.connections) == 1
    assert all("credits" in caller.happenings[0].reason for caller in callers)


@pytest.mark.parametrize("status", [400, 403])
async def test_a_call_whose_own_options_are_refused_goes_on_with_everybodys(deepgram, status):
    origins = at(deepgram.url)
    deepgram.faults = Faults(first=1, refuse=status)
    everybodys = f"/v1/listen?{options.parse('model=nova-2').query()}"
    one = Caller(deepgram.url, origins=origins, fallback=everybodys)
    one.say()
    await one.end()

    (interruption,) = [event for event in one.happenings if isinstance(event, Interrupted)]
    assert interruption.status == status
    assert "options of this call are given up" in interruption.reason
    assert one.words(0) == spoken(0)
    assert [dict(connection.query)["model"] for connection in deepgram.connections] == ["nova-3", "nova-2"]
    assert origins.is_closed


async def test_a_call_that_is_turned_away_keeps_its_own_options(deepgram):
    origins = at(deepgram.url, breaker=CircuitBreakerPolicy(account_probe=0.05))
    origins.refused(0, Refusal(403, "no access to the model", None), asyncio.get_running_loop().time())
    policy = replace(QUICK, longest_retry=0.05)
    one = Caller(deepgram.url, policy, origins=origins, fallback=f"/v1/listen?{options.parse('model=nova-2').query()}")
    one.say()
    await one.end()

    assert one.words(0) == spoken(0)
    assert [dict(connection.query)["model"] for connection in deepgram.connections] == ["nova-3"]


async def test_what_is_refused_with_everybodys_options_too_is_refused(deepgram):
    deepgram.faults = Faults(refuse=400)
    one = Caller(deepgram.url, BRIEF, fallback=REQUEST)
    one.say()
    await one.end()

    assert [(event.status, event.retry) for event in one.happenings if isinstance(event, Interrupted)] == [
        (400, True),
        (400, False),
    ]
    assert len(deepgram.connections) == 2


async def test_a_model_of_everybodys_that_is_refused_turns_everybody_away(deepgram):
    origins = at(deepgram.url)
    deepgram.faults = Faults(refuse=403)
    caller = Caller(deepgram.url, BRIEF, origins=origins)
    await caller.until(Interrupted)
    await caller.end()

    assert not origins.is_closed


@pytest.fixture
async def redirector(deepgram):
    """A front door that sends everybody to the local Deepgram; its URL, and the requests it has had."""
    asked = []

    async def answer(reader, writer):
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        place = f"{deepgram.url}/v1/listen?{options.parse('').query()}"
        writer.write(f"HTTP/1.1 307 Elsewhere\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def test_a_redirect_is_a_refusal_and_is_not_followed(deepgram, redirector):
    url, asked = redirector
    origins = at(url)
    caller = Caller(url, BRIEF, origins=origins)
    caller.say()
    await caller.until(Interrupted)
    await caller.end()

    assert [(event.status, event.reason, event.retry) for event in caller.happenings[:1]] == [(307, "HTTP 307", False)]
    assert len(asked) == 1
    assert deepgram.connections == []
    assert not origins.is_closed


# The way there


async def first_reason(url, route, **given):
    """Why a call is interrupted at once."""
    caller = Caller(url, BRIEF, route=route, **given)
    await caller.until(Interrupted)
    await caller.end()
    return caller.happenings[0].reason


def through(proxy_url, url):
    return Egress({"ALL_PROXY": proxy_url.replace("//", "//me:s3cret@")}, certificates.trusting()).route(url)


async def test_through_a_proxy(deepgram):
    url = "ws://deepgram.invalid"
    async with Proxy({"deepgram.invalid": int(deepgram.url.rpartition(":")[2])}) as proxy:
        caller = Caller(url, route=through(proxy.url, url))
        caller.say()
        await caller.end()

    assert caller.words(0) == spoken(0)
    assert proxy.asked == [("CONNECT", "deepgram.invalid:80")]
    assert "Proxy-Authorization: Basic bWU6czNjcmV0" in proxy.heads[0]


async def quiet(socket):
    """Hears nothing."""
    async for text in socket:
        if text == CLOSE_STREAM:
            await socket.send('{"type":"Metadata"}')


async def test_through_a_proxy_with_a_certificate_of_a_private_authority(caplog):
    url = "wss://deepgram.invalid"
    async with serve(quiet, "127.0.0.1", 0, ssl=certificates.serving()) as peer:
        async with Proxy({"deepgram.invalid": peer.sockets[0].getsockname()[1]}) as proxy:
            caller = Caller(url, route=through(proxy.url, url))
            caller.say()
            await caller.end()

    assert not [event for event in caller.happenings if isinstance(event, Interrupted)]
    assert proxy.asked == [("CONNECT", "deepgram.invalid:443")]


async def test_a_tunnel_that_ends_at_once_is_told_as_what_it_cut_off():
    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

    async with server(script) as proxy:
        for url, kind in (("wss://deepgram.invalid", "tls"), ("ws://deepgram.invalid", "reset")):
            assert (await first_reason(url, through(proxy.rstrip("/"), url))).split(" ")[0] == kind


async def test_a_certificate_that_is_not_trusted_is_a_reason():
    async with serve(quiet, "127.0.0.1", 0, ssl=certificates.serving()) as peer:
        url = f"wss://127.0.0.1:{peer.sockets[0].getsockname()[1]}"
        assert await first_reason(url, DIRECT) == "tls (unknown issuer)"
        caller = Caller(url, route=Route(None, certificates.trusting()))
        await caller.end()

    assert not [event for event in caller.happenings if isinstance(event, Interrupted)]


@pytest.mark.parametrize("url", ["ws://deepgram.invalid", "wss://deepgram.invalid"])
async def test_a_proxy_that_fails_is_a_reason_without_its_password(url, caplog):
    async with Proxy(refuse=407) as proxy:
        assert await first_reason(url, through(proxy.url, url)) == "proxy (status 407)"
    assert await first_reason(url, through(proxy.url, url)) == "proxy (ECONNREFUSED)"
    assert "s3cret" not in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "reset"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "protocol"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: sesame-open\r\n\r\n", "protocol"),
        (
            b"HTTP/1.1 401 sesame-open\r\ndg-error: no such key: sesame-open\r\nContent-Length: 0\r\n\r\n",
            "no such key: …",
        ),
    ],
)
async def test_nothing_of_a_broken_handshake_is_told(answer, reason, caplog):
    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with server(script) as url:
        assert await first_reason(url.replace("http", "ws").rstrip("/"), DIRECT, key="sesame-open") == reason
    assert "sesame" not in caplog.text + str([vars(record) for record in caplog.records])


async def test_a_key_that_no_header_can_hold_is_not_told(deepgram, caplog):
    assert await first_reason(deepgram.url, DIRECT, key="sesame\nopen") == "protocol"
    assert "sesame" not in caplog.text + str([vars(record) for record in caplog.records])


async def test_a_close_that_echoes_the_key_does_not_tell_it(caplog):
    async def close(socket):
        await socket.close(4000, "bad key sesame-open")

    async with serve(close, "127.0.0.1", 0) as peer:
        url = f"ws://127.0.0.1:{peer.sockets[0].getsockname()[1]}"
        caller = Caller(url, BRIEF, key="sesame-open")
        caller.say()
        await caller.until(Interrupted)
        await caller.end()

    assert "bad key …" in caller.happenings[0].reason
    assert "sesame" not in caplog.text + str([vars(record) for record in caplog.records])


async def test_what_is_given_up_before_it_has_connected_is_over_soon(deepgram):
    caller = Caller(deepgram.url)
    caller.client.abort()
    async with asyncio.timeout(60):
        await caller.client.wait_ended()

    assert [type(event) for event in caller.happenings] == [Finished]


# Several origins


@pytest.fixture
async def other():
    async with LocalDeepgram(CodedRecognizers(SCRIPT)) as server:
        yield server


SWIFT = {"handshake": 10.0, "rest": 0.1, "first_probe": 0.02, "recovery": 0.1, "patience": 0.3, "moves": 1000.0}


async def speak(caller, audio=AUDIO, pause=0.001):
    """Piece by piece, while things happen."""
    for start in range(0, len(audio), CHUNK):
        caller.client.receive_audio(audio[start : start + CHUNK])
        await asyncio.sleep(pause)


def news(caller):
    """What was told of the way, as (type, origin)."""
    return [(type(event), event.origin) for event in caller.happenings if isinstance(event, Interrupted | Resumed)]


def name(server):
    return server.url.removeprefix("ws://")


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(Faults(refuse=400), id="refuses the request"),
        pytest.param(Faults(refuse=401), id="refuses the key"),
        pytest.param(Faults(refuse=503), id="is down"),
        pytest.param(Faults(handshake_delay=30.0), id="hangs in the handshake"),
        pytest.param(Faults(stop_answering_after=0.0), id="never answers"),
        pytest.param(Faults(stop_answering_after=3.1), id="stops answering"),
        pytest.param(Faults(drop_after=4.3), id="drops"),
        pytest.param(Faults(close_after=5.2), id="closes"),
    ],
)
async def test_a_call_goes_on_at_the_next_origin_without_a_missed_or_doubled_word(deepgram, other, faults):
    deepgram.faults = faults
    policy = replace(QUICK, first_retry=NEVER, longest_retry=NEVER)  # there is no pause before a fresh one
    if faults.stop_answering_after is not None:
        policy = replace(policy, deaf=0.3)
    handshake = 1.0 if faults.handshake_delay else 10.0
    caller = Caller("", policy, origins=at(deepgram.url, other.url, **{**SWIFT, "handshake": handshake}))
    for start in range(0, len(AUDIO), CHUNK):
        caller.client.receive_audio(AUDIO[start : start + CHUNK])
        await asyncio.sleep(0.0 if news(caller) else 0.005)
    await caller.end()

    assert caller.words(0) == spoken(0)
    assert caller.words(1) == spoken(1)
    assert caller.happenings[-1] == Finished()
    assert news(caller) == [(Interrupted, name(deepgram)), (Resumed, name(other))]
    assert all(event.retry for event in caller.happenings if isinstance(event, Interrupted))
    assert caller.client.session.journal.requests[-1].origin == name(other)
    assert caller.client._origins.failures[name(deepgram)] == 1
    assert caller.client._origins.sockets == {name(deepgram): 0, name(other): 0}


async def test_a_request_that_every_origin_refuses_is_refused(deepgram, other):
    deepgram.faults = other.faults = Faults(refuse=400)
    caller = Caller("", BRIEF, origins=at(deepgram.url, other.url, **SWIFT))
    caller.say()
    await caller.end()

    assert [(event.retry, event.origin) for event in caller.happenings if isinstance(event, Interrupted)] == [
        (True, name(deepgram)),
        (False, name(other)),
    ]
    assert [server.accepted for server in (deepgram, other)] == [1, 1]


async def test_an_origin_that_is_away_is_tried_again_though_another_refuses_the_request(deepgram, other):
    deepgram.faults, other.faults = Faults(first=2, refuse=503), Faults(refuse=400)
    caller = Caller("", origins=at(deepgram.url, other.url, **SWIFT))
    await speak(caller)
    await caller.end()

    assert caller.words(0) == spoken(0)
    assert [server.accepted for server in (deepgram, other)] == [3, 1]


async def test_a_call_waits_for_an_account_to_be_mended_where_another_origin_has_not_its_model(deepgram, other):
    deepgram.faults, other.faults = Faults(refuse=401), Faults(refuse=400)
    account = CircuitBreakerPolicy(account_probe=0.02)
    origins = at(deepgram.url, other.url, breaker=account, **SWIFT)
    caller = Caller("", replace(QUICK, longest_retry=0.02), origins=origins)
    await until(lambda: any(isinstance(event, Interrupted) and not event.retry for event in caller.happenings))
    deepgram.faults = Faults()
    await speak(caller)
    await caller.end()

    assert caller.words(0) == spoken(0)
    assert other.accepted == 1
    told = [(event.status, event.retry) for event in caller.happenings if isinstance(event, Interrupted)]
    assert told == [(401, True), (400, True), (401, False)]


async def test_options_of_the_calls_own_are_given_up_before_the_origin_is(deepgram, other):
    deepgram.faults = Faults(first=1, refuse=400)
    everybodys = f"/v1/listen?{options.parse('model=nova-2').query()}"
    caller = Caller("", origins=at(deepgram.url, other.url, **SWIFT), fallback=everybodys)
    caller.say()
    await caller.end()

    assert caller.words(0) == spoken(0)
    assert [server.accepted for server in (deepgram, other)] == [2, 0]


async def test_each_origin_is_sent_its_own_key(deepgram, other):
    deepgram.faults = Faults(refuse=503)
    origins = Origins([Origin(deepgram.url, "one"), Origin(other.url, "two")])
    caller = Caller("", origins=origins)
    caller.say()
    await caller.end()

    keys = [server.connections[0].headers["Authorization"] for server in (deepgram, other)]
    assert keys == ["Token one", "Token two"]


async def test_a_call_goes_back_by_a_probe_and_misses_no_word(deepgram, other):
    deepgram.faults = Faults(first=1, refuse=503)
    origins = at(deepgram.url, other.url, **SWIFT)
    async with Prober(origins, REQUEST, 0.01):
        caller = Caller("", origins=origins)
        await speak(caller, pause=0.004)
        await caller.end()

    assert caller.words(0) == spoken(0)
    assert caller.words(1) == spoken(1)
    assert [request.origin for request in caller.client.session.journal.requests] == [name(other), name(deepgram)]
    assert news(caller) == [(Interrupted, name(deepgram)), (Resumed, name(other)), (Resumed, name(deepgram))]
    assert origins.returns == {name(deepgram): 1, name(other): 0}
    assert other.connections[0].close_code == 1000


async def test_a_better_origin_that_cannot_be_reached_after_all_costs_nothing(deepgram, other):
    deepgram.faults = Faults(refuse=503)
    origins = at(deepgram.url, other.url, **SWIFT)
    caller = Caller("", origins=origins)
    await speak(caller, AUDIO[: len(AUDIO) // 2])
    await asyncio.sleep(SWIFT["recovery"])
    for place in origins.to_probe(asyncio.get_running_loop().time()):
        origins.probed(place, None, asyncio.get_running_loop().time())
    assert origins.is_well(0)
    await speak(caller, AUDIO[len(AUDIO) // 2 :])
    await caller.end()

    assert caller.words(0) == spoken(0)
    assert [server.accepted for server in (deepgram, other)] == [2, 1]
    assert not origins.is_well(0)
    assert len(news(caller)) == 2


async def test_a_call_that_ends_while_it_goes_back_ends_where_it_was(deepgram, other):
    deepgram.faults = Faults(first=1, refuse=503)
    origins = at(deepgram.url, other.url, **{**SWIFT, "patience": 0.0})
    caller = Caller("", origins=origins)
    await speak(caller, AUDIO[: len(AUDIO) // 2])
    await asyncio.sleep(SWIFT["recovery"])
    for place in origins.to_probe(asyncio.get_running_loop().time()):
        origins.probed(place, None, asyncio.get_running_loop().time())
    deepgram.faults = Faults(handshake_delay=2.0)
    await speak(caller, AUDIO[len(AUDIO) // 2 :], pause=0.0)
    await until(lambda: deepgram.accepted == 2)
    await caller.end()

    assert caller.words(0) == spoken(0)
    assert [request.origin for request in caller.client.session.journal.requests] == [name(other)]


async def test_work_that_is_cancelled_before_it_begins_leaves_nothing_behind():
    before = asyncio.all_tasks()
    Caller("ws://127.0.0.1:1")
    work = asyncio.all_tasks() - before
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    gc.collect()  # what was not awaited would be a warning, and warnings are errors
