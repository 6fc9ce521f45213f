"""Probes against real sockets: what they find, and that they cost little."""

import asyncio
from functools import partial

import pytest

from bridge.audio import TELEPHONE
from bridge.deepgram import options
from bridge.deepgram.messages import Refusal
from bridge.deepgram.mono import dialect_of
from bridge.deepgram.prober import Prober
from bridge.local.deepgram import Faults, LocalDeepgram
from bridge.local.script import CodedRecognizers, random_script
from tests.fakes.origins import at

REQUEST = f"/v1/listen?{options.parse('').query()}"
FLUX = options.parse("model=flux-general-en")
AWAY = Refusal(503, "away", None)
NOWHERE = "ws://127.0.0.1:1"


@pytest.fixture
async def deepgram():
    async with LocalDeepgram(CodedRecognizers(random_script(5, 1.0))) as server:
        yield server


def failing(*urls, **policy):
    """Of which the first has just failed."""
    origins = at(*urls, **{"handshake": 0.2, "first_probe": 0.01, "longest_probe": 0.02, "recovery": 0.05, **policy})
    origins.refused(0, AWAY, asyncio.get_running_loop().time())
    return origins


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


async def test_an_origin_that_answers_is_well_again_and_is_left_alone(deepgram, caplog):
    caplog.set_level("INFO")
    origins = failing(deepgram.url, NOWHERE)
    async with Prober(origins, REQUEST, 0.005) as prober:
        assert repr(prober).startswith("<Prober <Origins ASIDE")
        await until(lambda: origins.is_well(0))
        asked = deepgram.accepted
        await asyncio.sleep(0.05)

    assert deepgram.accepted == asked
    assert all(bytes(connection.audio) == b"" for connection in deepgram.connections)
    assert ("model", "nova-3") in deepgram.connections[0].query
    assert "deepgram's origin is well again" in caplog.text


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        (Faults(refuse=503), "503"),
        (Faults(refuse=400), "400"),
        (Faults(handshake_delay=30.0), "timeout"),
        (Faults(metadata=False, close=False), "timeout"),
        (Faults(metadata=False), "timeout"),  # it has had nothing to say
    ],
    ids=["is down", "refuses", "hangs", "never answers", "closes without a word"],
)
async def test_an_origin_that_does_not_answer_is_not_well(deepgram, faults, reason, caplog):
    deepgram.faults = faults
    origins = failing(deepgram.url, NOWHERE)
    async with Prober(origins, REQUEST, 0.005):
        await until(lambda: origins.failures[origins.all[0].name] > 2)

    assert not origins.is_well(0)
    (record, *_) = [record for record in caplog.records if record.message == "deepgram's origin fails still"]
    assert reason in (record.reason, str(record.status))


@pytest.mark.parametrize("well", [True, False])
async def test_flux_is_well_if_it_closes_the_stream_and_not_for_its_greeting(deepgram, well):
    deepgram.faults = Faults(close=well)
    origins = failing(deepgram.url, NOWHERE)
    async with Prober(origins, FLUX.target(), 0.005, partial(dialect_of, FLUX, TELEPHONE.mono)):
        failures = origins.failures[origins.all[0].name]
        await until(lambda: origins.is_well(0) or origins.failures[origins.all[0].name] > failures + 1)

    assert origins.is_well(0) == well


async def test_one_that_hangs_holds_up_no_other(deepgram):
    async with LocalDeepgram(CodedRecognizers(random_script(5, 1.0)), faults=Faults(handshake_delay=30.0)) as hanging:
        origins = failing(hanging.url, deepgram.url, handshake=5.0)
        origins.refused(1, AWAY, asyncio.get_running_loop().time())
        async with Prober(origins, REQUEST, 0.005):
            await until(lambda: deepgram.accepted and hanging.accepted)

    assert not origins.is_well(0)


async def test_one_origin_alone_is_not_asked(deepgram):
    origins = failing(deepgram.url)
    async with Prober(origins, REQUEST, 0.001):
        await asyncio.sleep(0.05)

    assert deepgram.accepted == 0
