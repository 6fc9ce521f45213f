"""Small programs of the shell in the place of servers: started, killed, told to stop."""

import asyncio
import contextlib
import logging
import os
import signal
import sys

import pytest

from bridge.restarts import Restarts
from bridge.supervisor import Supervisor
from tests.fakes.waiting import until

SLEEPS = 'trap "exit ${STATUS:-0}" TERM; echo up >> $LOG; while :; do sleep 0.05; done'
"""Ends with its status when it is told to."""


@contextlib.asynccontextmanager
async def running(program, tmp_path, *given, restarts=None):
    """The supervisor, the task that runs it, and for each process a file in which it writes whenever it starts."""
    logs = [tmp_path / f"{number}" for number in range(1, len(given) + 1)]
    environments = [
        {"PATH": os.environ["PATH"], "LOG": str(log), **environment}
        for log, environment in zip(logs, given, strict=True)
    ]
    supervisor = Supervisor(["sh", "-c", program], environments, restarts or Restarts(first=0.01))
    task = asyncio.create_task(supervisor.run())
    try:
        yield supervisor, task, [lambda log=log: lines(log) for log in logs]
    finally:
        supervisor.stop()
        await asyncio.wait_for(task, 60)


def lines(path):
    return len(path.read_text().splitlines()) if path.exists() else 0


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_all_are_started_each_with_its_environment_and_end_when_they_are_told(tmp_path):
    async with running(SLEEPS, tmp_path, {}, {}) as (supervisor, task, started):
        await until(lambda: all(count() == 1 for count in started) and len(supervisor.pids) == 2)
        pids = supervisor.pids
        supervisor.stop()
        assert await asyncio.wait_for(task, 60) == 0
    assert not any(map(alive, pids.values()))


async def test_the_worst_status_is_told(tmp_path):
    async with running(SLEEPS, tmp_path, {}, {"STATUS": "3"}, {"STATUS": "1"}) as (supervisor, task, started):
        await until(lambda: all(count() == 1 for count in started))
        supervisor.stop()
        assert await asyncio.wait_for(task, 60) == 3


async def test_one_that_is_killed_is_started_again_and_the_others_go_on(tmp_path, caplog):
    async with running(SLEEPS, tmp_path, {}, {}) as (supervisor, _, started):
        await until(lambda: all(count() == 1 for count in started) and len(supervisor.pids) == 2)
        before = supervisor.pids
        os.kill(before[1], signal.SIGKILL)
        await until(lambda: started[0]() == 2 and supervisor.pids.get(1) not in (None, before[1]))
        assert (supervisor.pids[2], started[1]()) == (before[2], 1)
    (told,) = [vars(record) for record in caplog.records if record.levelno == logging.ERROR]
    assert (told["msg"], told["number"], told["status"], told["seconds"]) == (
        "a process has ended, and is started again",
        1,
        128 + signal.SIGKILL,
        0.01,
    )


async def test_one_that_cannot_begin_ends_all_with_its_status(tmp_path, caplog):
    program = f"if [ $STATUS = 2 ]; then exit 2; fi; {SLEEPS}"
    async with running(program, tmp_path, {"STATUS": "0"}, {"STATUS": "2"}) as (_, task, _):
        assert await asyncio.wait_for(task, 60) == 2
    assert "a process cannot begin; all are stopped" in caplog.text


async def test_a_stop_does_not_wait_for_the_next_start(tmp_path):
    slow = Restarts(first=3600.0, longest=3600.0)
    async with running("exit 1", tmp_path, {}, restarts=slow) as (supervisor, task, _):
        await until(lambda: "1: 3600.0" in repr(slow))
        supervisor.stop()
        assert await asyncio.wait_for(task, 60) == 1


async def test_a_process_that_is_being_started_is_told_too(tmp_path):
    supervisor = Supervisor(["sh", "-c", SLEEPS], [{"PATH": os.environ["PATH"], "LOG": str(tmp_path / "1")}])
    task = asyncio.create_task(supervisor.run())
    await asyncio.sleep(0)
    supervisor.stop()

    assert await asyncio.wait_for(task, 60) in (0, 128 + signal.SIGTERM), "before its shell knew what to do"


async def test_asked_twice_it_tells_them_twice(tmp_path):
    program = 'trap "echo told >> $LOG" TERM; echo up >> $LOG; while [ $(wc -l < $LOG) -lt 3 ]; do sleep 0.02; done'
    async with running(program, tmp_path, {}) as (supervisor, task, lines_of):
        await until(lambda: lines_of[0]() == 1)
        supervisor.stop()
        await until(lambda: lines_of[0]() == 2)
        assert not task.done()
        supervisor.stop()
        assert await asyncio.wait_for(task, 60) == 0


async def test_a_program_that_there_is_not_is_tried_again(tmp_path, caplog):
    supervisor = Supervisor([str(tmp_path / "none")], [{}], Restarts(first=0.01, longest=0.01))
    task = asyncio.create_task(supervisor.run())
    await until(lambda: caplog.text.count("a process cannot be started") > 1)
    supervisor.stop()

    assert await asyncio.wait_for(task, 60) == 71


READS = 'echo up >> $LOG; read line; echo "end of input" >> $LOG'


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the test kills by what Linux says of processes")
async def test_processes_see_the_end_of_a_supervisor_that_is_killed(tmp_path):
    log = tmp_path / "log"
    code = (
        "import asyncio; from bridge.supervisor import Supervisor; "
        f"asyncio.run(Supervisor(['sh', '-c', {READS!r}], [{{'PATH': '/usr/bin:/bin', 'LOG': {str(log)!r}}}]).run())"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    await until(lambda: lines(log) == 1)
    process.kill()
    await process.wait()
    await until(lambda: lines(log) == 2)
