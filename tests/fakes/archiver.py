"""A process that keeps the audio of calls, with an archive, and leaves them one after the other; made to be killed.

python -m tests.fakes.archiver DATA_DIR URL
"""

import asyncio
import itertools
import os
import sys
from pathlib import Path

from bridge.store.archive.archive import Archive
from bridge.store.archive.objects import open_objects
from bridge.store.audio import AudioStore
from tests.fakes.audio_appender import sound

SAMPLES = 20_000
"""Of each call."""


async def main(data_dir: Path, url: str) -> None:
    async with Archive(open_objects(url), data_dir) as archive:
        async with AudioStore(data_dir, limit=2**30, keep=True, segment_seconds=1, archive=archive) as audio:
            for number in itertools.count():
                file = audio.open(f"CA{number}")
                file.append(sound(0, SAMPLES))
                if number % 2:
                    await file.finish()
                else:
                    file.close()
                await audio.flush()
                os.write(1, f"{number} {archive.counters['objects']}\n".encode())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
