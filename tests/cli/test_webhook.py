"""`bridge webhook test`."""

import json

from bridge.local.receiver import Receiver
from tests.fakes.command import command
from tests.fakes.running import WEBHOOK_SECRET
from tests.fakes.setups import working


async def test_what_came_back_is_told(tmp_path):
    async with working(tmp_path) as setup:
        names = ("WEBHOOK_URL", "WEBHOOK_SECRET", "DEEPGRAM_API_KEY")
        environment = {name: setup.environment[name] for name in names}
        well = await command("webhook", "test", **environment)
        wrong = await command("webhook", "test", "--json", **{**environment, "WEBHOOK_SECRET": "whsec_" + "A" * 43})

        (call,) = setup.receiver.calls.values()
    assert (well.status, "✓ webhook " in well.out, "204" in well.out) == (0, True, True)
    assert (wrong.status, "401" in json.loads(wrong.out)["findings"][0]["message"]) == (1, True)
    assert call.interims[0]["data"] == {"by": "webhook test"}


async def test_the_endpoints_of_a_file_are_tried_without_any_other(tmp_path):
    file = tmp_path / "endpoints.toml"
    async with Receiver(WEBHOOK_SECRET) as receiver:
        file.write_text(f'[[endpoint]]\nname = "crm"\nurl = "{receiver.url}"\nsecret = "{WEBHOOK_SECRET}"')
        told = await command("webhook", "test", BRIDGE_ENDPOINTS=str(file))
    wrong = await command("webhook", "test", BRIDGE_ENDPOINTS=str(tmp_path / "nowhere.toml"))

    assert (told.status, "✓ webhook.crm " in told.out, "204" in told.out) == (0, True, True)
    assert (wrong.status, "the file cannot be read" in wrong.err) == (2, True)


async def test_without_a_webhook_it_says_what_to_set():
    told = await command("webhook", "test")

    assert (told.status, "set WEBHOOK_URL and WEBHOOK_SECRET" in told.err) == (2, True)


async def test_without_a_secret_nothing_was_tried_which_is_no_success():
    told = await command("webhook", "test", WEBHOOK_URL="https://x.example/")

    assert (told.status, "set WEBHOOK_SECRET" in told.err) == (2, True)
