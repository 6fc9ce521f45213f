"""What this process holds open."""

import os
from pathlib import Path


def held_open(folder: Path) -> list[str]:
    """The names of the files below a folder that this process has open, one for each time."""
    links = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sorted(Path(link).name for link in links if link.startswith(str(folder)))
