"""A disk that takes nothing: mounted, spoiled, looked at, mended by what the remedy says, and looked at once more.

`unshare -m python -m tests.hosts.disks NAME FOLDER` prints what the doctor says before and after.
"""

import asyncio
import json
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from bridge.config import load
from bridge.doctor.home import examine_disk

OPTIONS = {"full": "size=700m", "full-of-files": "size=900m,nr_inodes=1200", "read-only": "size=900m,ro"}
"""How each is mounted; the doctor wants 500 MB and 1,000 files."""


def spoil(name: str, disk: Path) -> None:
    """Until it takes nothing more."""
    with suppress(OSError):
        if name == "full":
            with (disk / "large").open("wb") as file:
                while True:
                    file.write(bytes(1 << 20))
        for number in range(2000 if name == "full-of-files" else 0):
            (disk / f"{number}").touch()


def follow(remedy: str, disk: Path) -> None:
    """Type the command, and delete what it finds to be large, or many."""
    ((mount, look),) = re.findall(r"\((mount .*?)\)|(du .*tail)", remedy)
    told = subprocess.check_output(["sh", "-c", mount or look], text=True)
    for line in told.splitlines():
        found = Path(line.partition("\t")[2])
        for path in found.iterdir() if found == disk and "inodes" in remedy else [found]:
            if path.is_file():
                path.unlink()


async def looked_at(disk: Path) -> str:
    """The first thing that is said of it."""
    first, *_ = await examine_disk(load({"DATA_DIR": str(disk), "BRIDGE_AUDIO_LIMIT": "1"}))
    sys.stdout.write(f"{json.dumps(first.to_json())}\n")
    return first.remedy or ""


def main(name: str, folder: str) -> None:
    """All of it, for one kind of disk."""
    disk = Path(folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", OPTIONS[name], "none", folder], check=True)
    spoil(name, disk)
    follow(asyncio.run(looked_at(disk)), disk)
    asyncio.run(looked_at(disk))


if __name__ == "__main__":
    main(*sys.argv[1:])
