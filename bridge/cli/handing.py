"""Hands records over to the process that has the store: a server that is running, or, without one, this command.

Both do it by `Intake`, from the same files, so that it does not matter who comes first, nor who dies.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from bridge.call import handover
from bridge.call.intake import Intake
from bridge.config import Settings
from bridge.errors import StoreError, StoreInUse
from bridge.policies import event_store

_PAUSE = 0.1  # seconds between two looks
_PATIENCE = 30.0  # seconds for which a server may leave a file alone


async def known(settings: Settings, call_ids: Iterable[str]) -> set[str]:
    """Which of these calls are in the record already. Raises StoreError."""
    folder, name = settings.data_dir / handover.FOLDER, secrets.token_hex(8)
    answer: set[str] | None = None

    def waiting() -> bool:
        nonlocal answer
        answer = handover.answered(folder, name)
        return answer is None

    try:
        handover.ask(folder, name, call_ids)
        await _settled(settings, waiting)
    except OSError as error:
        raise StoreError(f"cannot use {folder}: {error.strerror}") from error
    return answer or set()


async def taken_in(settings: Settings, call_id: str) -> None:
    """Until a record that was handed over is in the store. Raises StoreError if it is not taken."""
    folder = settings.data_dir / handover.FOLDER
    try:
        await _settled(settings, (folder / f"{call_id}{handover.RECORD}").exists)
    except OSError as error:
        raise StoreError(f"cannot use {folder}: {error.strerror}") from error
    if _is_refused(folder, call_id):
        raise StoreError(f"the record does not take {call_id}: see the bridge's log")


async def _settled(settings: Settings, waiting: Callable[[], bool]) -> None:
    """Until it no longer waits. Raises StoreError, and OSError."""
    clock = asyncio.get_running_loop().time
    ends = clock() + _PATIENCE
    while waiting():
        has_looked = await _look(settings)
        if not waiting():
            return
        if has_looked:
            raise StoreError("the record takes nothing in now, as said above; it is tried again the next time")
        if clock() > ends:
            raise StoreError("the bridge that uses this DATA_DIR takes nothing in: see its log, or is it an older one?")
        await asyncio.sleep(_PAUSE)


async def _look(settings: Settings) -> bool:
    """Take in what is there; False: another process has the store."""
    try:
        async with event_store(settings) as store:
            await Intake(store, settings.data_dir, wall=time.time, mute=settings.bridge_redact_audio).look()
    except StoreInUse:
        return False
    return True


def _is_refused(folder: Path, call_id: str) -> bool:
    return (folder / f"{call_id}{handover.REFUSED}").exists()
