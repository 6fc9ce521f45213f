"""Several calls while the first of two origins fails: what they say is exactly what it is without a fault."""

import asyncio

from bridge.local.deepgram import Faults
from bridge.local.receiver import Receiver
from tests.fakes.running import WEBHOOK_SECRET, bridge, deepgram, settings
from tests.fakes.talk import play

CALLS = [f"CA{number}" for number in range(1, 4)]


def of_type(told, kind):
    return [event["data"] for event in told if event["type"] == kind]


async def said(tmp_path, faults):
    """Each call's words by channel, with their times; and all events."""
    async with deepgram() as first, deepgram() as second, Receiver(WEBHOOK_SECRET) as receiver:
        first.faults_of = faults
        hook = {"webhook_url": receiver.url, "webhook_secret": WEBHOOK_SECRET}
        async with bridge(settings(tmp_path, f"{first.url} {second.url}", **hook)) as origin:
            await asyncio.gather(*(play(origin, call=call, stream=f"MZ{call}") for call in CALLS))
            await receiver.until(lambda: all(of_type(receiver.events(call), "call.ended") for call in CALLS), 60)
        events = {call: receiver.events(call) for call in CALLS}
        names = [server.url.removeprefix("ws://") for server in (first, second)]
    words = {
        call: sorted(
            (event["channel"], word["start"], word["end"], word["word"])
            for event in of_type(told, "transcript.final")
            for word in event["words"]
        )
        for call, told in events.items()
    }
    return words, events, names


async def test_words_and_times_are_those_of_the_run_without_a_fault(tmp_path):
    faults = {0: Faults(refuse=503), 1: Faults(drop_after=3.3), 2: Faults(close_after=7.1)}
    usual, _, _ = await said(tmp_path / "usual", {})
    words, events, (first, second) = await said(tmp_path / "faults", faults)

    assert words == usual
    # A call that begins when the first origin has failed already goes to the second at once.
    lost = [of_type(told, "transcription.interrupted") for told in events.values()]
    back = [of_type(told, "transcription.resumed") for told in events.values()]
    assert {(event["origin"], event["retry"]) for told in lost for event in told} == {(first, True)}
    assert {event["origin"] for told in back for event in told} == {second}
    assert [len(told) for told in lost] == [len(told) for told in back]
    for told in events.values():
        (ended,) = of_type(told, "call.ended")
        assert of_type(told, "audio.gap") == []
        assert (ended["flush"], ended["missing"]) == ("complete", 0.0)
        assert ended["requests"][-1]["origin"] == second
