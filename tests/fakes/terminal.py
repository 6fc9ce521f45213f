"""A command as a person at a terminal has it: in a process of its own, on a pseudo-terminal."""

import asyncio
import os
import pty
import re
import signal
import sys
from pathlib import Path

from tests.fakes.waiting import until

ROOT = Path(__file__).parent.parent.parent


class Terminal:
    """`async with Terminal("watch", DATA_DIR=…) as terminal:` runs `bridge watch`."""

    def __init__(self, *arguments, **environment):
        self._arguments = arguments
        self._environment = {"PATH": "/usr/bin:/bin", "TERM": "xterm", "COLUMNS": "120", "LINES": "30", **environment}
        self.raw = ""
        """All that was written, with what moves the cursor and gives colours."""

    @property
    def text(self):
        """What was written, in the order of time; no colours."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.raw)

    async def __aenter__(self):
        self._master, slave = pty.openpty()
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bridge", *self._arguments),
            cwd=ROOT,
            env=self._environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self._reading = asyncio.create_task(asyncio.to_thread(self._read))
        return self

    async def __aexit__(self, *_):
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading
        os.close(self._master)

    async def shows(self, text):
        """As soon as it does, whatever the colours."""
        await self._until(lambda: self.text, text)

    async def draws(self, octets):
        """As soon as it does, in these colours and with this line end."""
        await self._until(lambda: self.raw, octets)

    async def _until(self, written, text):
        try:
            await until(lambda: text in written())
        except TimeoutError:
            raise AssertionError(f"it never showed {text!r} but {written()!r}") from None

    def type(self, text):
        os.write(self._master, text.encode())

    def interrupt(self):
        self._process.send_signal(signal.SIGINT)

    async def ended(self):
        """Its status."""
        async with asyncio.timeout(60):
            status = await self._process.wait()
        await self._reading
        return status

    def _read(self):
        while True:
            try:
                octets = os.read(self._master, 65536)
            except OSError:  # the process has gone
                return
            self.raw += octets.decode(errors="replace")
