"""A process that appends events for ever and says on stdout which are acknowledged; made to be killed.

    python -m tests.fakes.appender DATA_DIR CALLS [URL SECRET]

With a URL it delivers them as well.
"""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from itertools import count

from bridge.delivery.format import Envelopes
from bridge.delivery.sender import Sender
from bridge.delivery.signing import Signer
from bridge.store.sqlite import SQLiteStore
from tests.fakes import words


async def append_for_ever(store: SQLiteStore, call_id: str) -> None:
    call = await store.take(call_id)  # of the process before, if there was one
    for seq in count(call.tip + 1 if call else 1):
        event = words.started(call_id) if seq == 1 else words.final(call_id, seq)
        await store.append([event])
        # Past every buffer of ours: what is said here was acknowledged.
        os.write(1, f"{call_id} {seq}\n".encode())


async def main(data_dir: str, calls: str, *webhook: str) -> None:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(SQLiteStore(data_dir, ["webhook"]))
        if webhook:
            url, secret = webhook
            await stack.enter_async_context(Sender(store, url, Envelopes(Signer(secret))))
        await asyncio.gather(*(append_for_ever(store, f"CA{n}") for n in range(int(calls))))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
