"""A process that keeps the audio of calls for ever and says on stdout what is flushed; made to be killed.

python -m tests.fakes.audio_appender DATA_DIR CALLS
"""

import asyncio
import os
import random
import sys

from bridge.store.audio import AudioStore

_SOUND = random.Random(1).randbytes(1_000_003)


def sound(start: int, samples: int) -> bytes:
    """Two-channel audio in which every place is unlike the others, for what follows one another to be seen."""
    begin = 2 * start % len(_SOUND)
    end = begin + 2 * samples
    return (_SOUND * (end // len(_SOUND) + 1))[begin:end]


async def main(data_dir: str, calls: int) -> None:
    async with AudioStore(data_dir, limit=2**30, segment_seconds=1) as store:
        files = [store.open(f"CA{n}") for n in range(calls)]
        for file in files:
            file.write_note({"call": file.call_id})
        while True:
            for number, file in enumerate(files):
                file.append(sound(file.end, 480 + number))
            flushed = " ".join(str(file.end) for file in files)
            await store.flush()
            # Past every buffer of ours: what is said here was flushed.
            os.write(1, f"{flushed}\n".encode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
