"""`bridge drain`, as a user types it."""

import asyncio

from bridge.store.succession import Holder
from tests.fakes.command import command


async def test_a_bridge_is_asked_to_stop_and_waited_for(tmp_path):
    asked = asyncio.Event()
    holder = Holder(tmp_path, on_drain=asked.set)
    await holder.open()
    draining = asyncio.create_task(command("drain", DATA_DIR=str(tmp_path)))
    await asked.wait()
    assert not draining.done()
    await holder.close()

    status, out, said = await draining
    assert (status, out, said) == (0, f"The bridge that had {tmp_path} has let go of its calls.\n", "")


async def test_where_no_bridge_runs_it_says_so(tmp_path):
    status, out, said = await command("drain", DATA_DIR=str(tmp_path))

    assert (status, out) == (2, "")
    assert said == f"bridge: no bridge that can be asked has {tmp_path}\n"
