"""The receiver against a plain client: what it takes, what it refuses, and how it fails when it is told to."""

import json
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bridge.delivery.envelope import envelope
from bridge.delivery.signing import Signer, format_secret
from bridge.errors import ConfigError
from bridge.events import Event
from bridge.local.receiver import Fault, Receiver
from bridge.outbox import call_header
from tests.fakes import words
from tests.fakes.waiting import TICK

OLD, NEW = format_secret(b"o" * 32), format_secret(b"n" * 32)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver(f"{NEW} {OLD}") as receiver:
        yield receiver


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


def body(events: list[Event], skipped: tuple[int, ...] = ()) -> bytes:
    return envelope(call_header(words.started(events[0].call_id)), [event.to_json() for event in events], skipped)


async def post(
    client: aiohttp.ClientSession, receiver: Receiver, content: bytes, secret: str = NEW, **headers: str
) -> aiohttp.ClientResponse:
    signed = Signer(secret).headers("evt_1", content, time.time()) | headers
    async with client.post(receiver.url, data=content, headers=signed, allow_redirects=False) as response:
        return response


@pytest.mark.parametrize("secret", [OLD, NEW])
async def test_events_are_kept_by_call(receiver: Receiver, client: aiohttp.ClientSession, secret: str) -> None:
    events = words.conversation()
    assert (await post(client, receiver, body(events[:2]), secret)).status == 204
    assert (await post(client, receiver, body([words.started("CA2")]), secret)).status == 204
    assert (await post(client, receiver, body(events[2:]), secret)).status == 204
    assert receiver.events("CA1") == [json.loads(event.to_json()) for event in events]
    assert receiver.seqs("CA2") == [1]
    assert receiver.events("CA3") == []
    assert receiver.order.violations == []


async def test_duplicates_are_put_aside_and_violations_said(client: aiohttp.ClientSession) -> None:
    problems: list[str] = []
    seen: list[int] = []
    async with Receiver(NEW, on_problem=problems.append, on_event=lambda call, e: seen.append(e["seq"])) as receiver:
        for content in ([words.started()], [words.started(), words.final(seq=2)], [words.final(seq=4)]):
            await post(client, receiver, body(content))
    assert receiver.counters["duplicate"] == 1
    assert seen == [1, 2, 4]
    assert problems == receiver.order.violations == ["call CA1: number 4 came after 2, expected 3"]


async def test_interims_are_kept_apart(receiver: Receiver, client: aiohttp.ClientSession) -> None:
    await post(client, receiver, body([words.interim()]))
    assert receiver.events("CA1") == []
    assert len(receiver.calls["CA1"].interims) == 1


@pytest.mark.parametrize(
    ("secret", "headers"),
    [
        (format_secret(b"x" * 32), {}),
        (NEW, {"webhook-timestamp": "1"}),
        (NEW, {"webhook-signature": "nonsense"}),
        (NEW, {"webhook-signature": "v1,***"}),
        (NEW, {"webhook-id": "another"}),
        (NEW, {"webhook-signature": ""}),
    ],
)
async def test_what_does_not_verify_is_refused(
    client: aiohttp.ClientSession, secret: str, headers: dict[str, str]
) -> None:
    problems: list[str] = []
    async with Receiver(NEW, on_problem=problems.append) as receiver:
        assert (await post(client, receiver, body([words.started()]), secret, **headers)).status == 401
    assert receiver.counters == {"unverified": 1}
    assert len(problems) == 1 and receiver.calls == {} and not receiver.deliveries


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b'{"type":"call.events","call":{"id":1},"events":[]}',
        b'{"type":"call.events","call":{"id":"CA1"},"events":{}}',
        b'{"type":"call.events","call":{"id":"CA1"},"events":[{}]}',
        b'{"type":"call.events","call":{"id":"CA1"},"events":[{"id":"a","type":"t","seq":"1"}]}',
        b'{"type":"else","call":{"id":"CA1"},"events":[]}',
        b"\xff\xfe",
    ],
)
async def test_what_is_no_envelope_is_refused(client: aiohttp.ClientSession, content: bytes) -> None:
    problems: list[str] = []
    async with Receiver(NEW, on_problem=problems.append) as receiver:
        assert (await post(client, receiver, content)).status in (401, 422)
    assert len(problems) == 1


async def test_a_status_on_request(receiver: Receiver, client: aiohttp.ClientSession) -> None:
    receiver.faults = [
        Fault(status=429, retry_after="7", call_id="CA1", times=1),
        Fault(status=302, location="http://elsewhere/", seq=2),
    ]
    first = await post(client, receiver, body([words.started("CA1")]))
    assert (first.status, first.headers["Retry-After"]) == (429, "7")
    assert (await post(client, receiver, body([words.started("CA2")]))).status == 204
    assert (await post(client, receiver, body([words.started("CA1")]))).status == 204
    redirect = await post(client, receiver, body([words.final("CA1", 2)]))
    assert (redirect.status, redirect.headers["Location"]) == (302, "http://elsewhere/")
    assert receiver.seqs("CA1") == [1], "what was refused was not taken"
    assert [delivery.status for delivery in receiver.deliveries] == [429, 204, 204, 302]


async def test_a_cut_connection_after_the_events_were_taken(receiver: Receiver, client: aiohttp.ClientSession) -> None:
    receiver.faults = [Fault(reset=True, times=1)]
    with pytest.raises(aiohttp.ClientError):
        await post(client, receiver, body([words.started()]))
    assert receiver.seqs("CA1") == [1]
    assert (await post(client, receiver, body([words.started()]))).status == 204
    assert receiver.counters["duplicate"] == 1


async def test_a_delay_on_request(receiver: Receiver, client: aiohttp.ClientSession) -> None:
    receiver.faults = [Fault(delay=0.05)]
    start = time.perf_counter()
    await post(client, receiver, body([words.started()]))
    assert time.perf_counter() - start >= 0.05 - TICK


async def test_down_and_up_again_at_the_same_url(receiver: Receiver, client: aiohttp.ClientSession) -> None:
    url = receiver.url
    await post(client, receiver, body([words.started()]))
    await receiver.go_down()
    with pytest.raises(aiohttp.ClientError):
        await post(client, receiver, body([words.final()]))
    await receiver.come_up()
    assert receiver.url == url
    assert (await post(client, receiver, body([words.final()]))).status == 204


async def test_waiting_has_an_end(receiver: Receiver) -> None:
    with pytest.raises(TimeoutError):
        await receiver.until(lambda: False, seconds=0.01)


async def test_the_oldest_calls_are_forgotten(client: aiohttp.ClientSession) -> None:
    async with Receiver(NEW, keep=2) as receiver:
        for n in range(4):
            await post(client, receiver, body([words.started(f"CA{n}")]))
        assert list(receiver.calls) == ["CA2", "CA3"]


async def test_a_port_that_is_taken(receiver: Receiver) -> None:
    with pytest.raises(ConfigError, match="cannot listen at 127.0.0.1"):
        async with Receiver(NEW, port=int(receiver.url.split(":")[2].split("/")[0])):
            pass


def test_without_the_library_that_verifies_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.local.receiver.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs standardwebhooks: pip install .*\[local\]"):
        Receiver(NEW)


def test_a_secret_must_be_one() -> None:
    with pytest.raises(ConfigError):
        Receiver("secret")
