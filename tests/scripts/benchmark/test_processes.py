"""Several processes as one target, and the CPU of a server with children."""

import pytest

from scripts.benchmark.processes import Processes, server_cpu
from scripts.benchmark.target import TICKS


class Standing:
    def __init__(self, port):
        self.port = port
        self.is_stopped = False

    def wait_until_ready(self):
        pass

    def cpu(self):
        return 1.5

    def memory(self):
        return 1000

    def reads(self):
        return 7

    def stop(self):
        self.is_stopped = True


def stat(name, *times):
    """As `/proc/<pid>/stat`, with the four times in it."""
    return f"1 ({name}) S {' '.join(['0'] * 10)} {' '.join(map(str, times))} 0 0"


@pytest.fixture
def proc(tmp_path):
    """A server that has two processes, of which one ends while it is looked at."""
    (tmp_path / "postmaster.pid").write_text("100\n/data\n")
    for pid, said in (("100", stat("postgres", 1, 2, 30, 40)), ("101", stat("post) gres", 500, 600, 7, 8))):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "stat").write_text(said)
    (tmp_path / "100" / "task" / "100").mkdir(parents=True)
    (tmp_path / "100" / "task" / "100" / "children").write_text("101 102 ")
    return tmp_path


def test_a_server_costs_what_its_processes_do(proc):
    assert server_cpu(proc, proc) == (1 + 2 + 30 + 40 + 500 + 600) / TICKS


def test_processes_are_one_target_and_calls_go_to_each_in_turn():
    targets = [Standing(1), Standing(2)]
    target = Processes(targets, None)

    target.wait_until_ready()
    assert [target.port for _ in range(3)] == [1, 2, 1]
    assert (target.cpu(), target.memory(), target.reads()) == (3.0, 2000, 14)
    assert target.database_cpu == []
    target.stop()
    assert all(each.is_stopped for each in targets)
