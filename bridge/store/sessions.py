"""The readers' sessions that were ended before they expired, kept in `DATA_DIR` so that a restart revives none."""

import asyncio
import os
from pathlib import Path

from bridge.errors import StoreError

FILENAME = "ended-sessions"


class EndedSessions:
    """Ids of sessions, until they would have expired anyway."""

    def __init__(self, data_dir: Path | None, now: float) -> None:
        """`data_dir`: None keeps them in memory only. `now`: seconds since 1970. Raises StoreError."""
        self._path = data_dir / FILENAME if data_dir else None
        self._expires: dict[str, float] = {}
        try:
            self._read(now)
        except OSError as error:
            raise StoreError(f"cannot read the ended sessions in {self._path}: {error.strerror}") from error

    def __repr__(self) -> str:
        return f"<EndedSessions {len(self._expires)}>"

    def __contains__(self, session: str) -> bool:
        return session in self._expires

    async def add(self, session: str, expires: float, now: float) -> None:
        """From now on the session has ended. Raises StoreError if a restart would revive it."""
        self._expires = {ended: until for ended, until in self._expires.items() if until > now}
        self._expires[session] = expires
        try:
            await asyncio.to_thread(self._append, f"{session} {int(expires)}\n")
        except OSError as error:
            raise StoreError(f"cannot keep the end of a session: {error.strerror}") from error

    def _read(self, now: float) -> None:
        if self._path is None or not self._path.exists():
            return
        lines = self._path.read_text(errors="replace").splitlines()
        parted = (line.split(" ") for line in lines)
        known = {parts[0]: float(parts[1]) for parts in parted if len(parts) == 2 and parts[1].isdecimal()}
        self._expires = {session: expires for session, expires in known.items() if expires > now}
        if len(self._expires) < len(lines):
            fresh = self._path.with_suffix(f".{os.getpid()}")
            fresh.write_text("".join(f"{session} {int(expires)}\n" for session, expires in self._expires.items()))
            fresh.replace(self._path)

    def _append(self, line: str) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
