"""Each part's counters and gauges have their names."""

from bridge.config import load
from bridge.delivery.format import Envelopes
from bridge.delivery.sender import Sender
from bridge.delivery.signing import Signer
from bridge.outbox import TWILIO, WEBHOOK
from bridge.policies import event_store
from bridge.web import metering
from tests.fakes.origins import at
from tests.fakes.running import WEBHOOK_SECRET


async def test_each_endpoint_has_gauges_of_its_own(tmp_path):
    store = event_store(load({"DATA_DIR": str(tmp_path)}))
    async with store:
        named = {
            name: metering.delivery_gauges(
                name, Sender(store, "https://x.example", Envelopes(Signer(WEBHOOK_SECRET)), endpoint=name), store
            )
            for name in (WEBHOOK, TWILIO)
        }
        values = {gauge: value() for gauges in named.values() for gauge, (_, value) in gauges.items()}

    assert values == {
        "calls_to_deliver": 0,
        "webhook_refuses": False,
        "twilio_calls_to_deliver": 0,
        "twilio_delivery_refuses": False,
    }


def test_each_origin_is_counted_by_its_name():
    told = metering.by_origin(at("ws://one", "ws://two"))

    assert [each.name for each in told] == [
        "deepgram_origin_in_use",
        "deepgram_origin_sockets",
        "deepgram_origin_failures",
        "deepgram_origin_returns",
    ]
    assert all(set(each.now()) == {"one", "two"} for each in told)
