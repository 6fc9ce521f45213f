"""A process that appends events for ever and says on stdout which are acknowledged; made to be killed.

    python -m tests.fakes.appender DATA_DIR CALLS [URL SECRET]

With a URL it delivers them as well. The place of DATA_DIR may be taken by the address of a database.
"""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from bridge.delivery.format import Envelopes
from bridge.delivery.sender import Sender
from bridge.delivery.signing import Signer
from bridge.errors import NotOwner
from bridge.store import ManagedStore
from bridge.store.opening import open_store
from tests.fakes import words


async def append_for_ever(store: ManagedStore, call_id: str) -> None:
    call = await store.take(call_id)  # of the process before, if there was one
    for seq in count(call.tip + 1 if call else 1):
        event = words.started(call_id) if seq == 1 else words.final(call_id, seq)
        try:
            await store.append([event])
        except NotOwner:
            return  # another process goes on with it
        # Past every buffer of ours: what is said here was acknowledged.
        os.write(1, f"{call_id} {seq}\n".encode())


async def main(data_dir: str, calls: str, *webhook: str) -> None:
    async with AsyncExitStack() as stack:
        folder = Path(data_dir)
        if url := data_dir if "://" in data_dir else None:
            folder = Path(stack.enter_context(TemporaryDirectory()))
        store = await stack.enter_async_context(open_store(folder, ["webhook"], database_url=url))
        if webhook:
            address, secret = webhook
            await stack.enter_async_context(Sender(store, address, Envelopes(Signer(secret))))
        await asyncio.gather(*(append_for_ever(store, f"CA{n}") for n in range(int(calls))))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
