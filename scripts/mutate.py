"""Whether the fast tests notice small faults in the modules given: each meets the tests of its room that reach it.

A module's tests are those of its package: `bridge/align/track.py` has `tests/align`. They run once to learn which of
them reach which line, and then for each fault in a process of its own, a fork of one that has collected them. There
the code of the live functions is changed, or the module as it is imported, and never a file. What fails, or takes far
too long, has noticed.
"""

import argparse
import ast
import gc
import importlib.util
import json
import os
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from random import Random
from types import CodeType, FrameType, FunctionType
from typing import Any

# Imported before the first fork, so that no mutant waits for them.
import aiohttp.web
import hypothesis.stateful  # noqa: F401
import msgspec  # noqa: F401
import prometheus_client  # noqa: F401
import pydantic
import pytest
import websockets.asyncio.client  # noqa: F401

from scripts.mutants import Mutant, mutants

assert aiohttp and pydantic

ROOT = Path(__file__).parent.parent
OPTIONS = ("-q", "-x", "-p", "no:xdist", "-p", "no:faulthandler", "-W", "ignore::pytest.PytestAssertRewriteWarning")
SLOW = 3.0
"""Seconds: a test that takes longer is not among the fast ones."""


@dataclass(slots=True)
class Reach:
    """What one run of the tests told."""

    seconds: dict[str, float] = field(default_factory=dict)
    """By test."""
    lines: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The tests that run a line of the module."""

    def tests(self, mutant: Mutant) -> list[str]:
        """Those that may notice a mutant, the quickest first."""
        lines = self.lines if mutant.lines is None else mutant.lines
        found = {test for line in lines for test in self.lines.get(line, ())}
        return sorted(found, key=lambda test: (self.seconds[test], test))

    def limit(self, mutant: Mutant) -> float:
        """Seconds after which the tests hang."""
        return 10.0 + 5 * sum(self.seconds[test] for test in self.tests(mutant))


class _Loader(SourceFileLoader):
    """Loads a module from a changed tree."""

    def __init__(self, name: str, path: str, tree: ast.Module) -> None:
        super().__init__(name, path)
        self.tree = tree

    def get_code(self, fullname: str) -> CodeType:
        return compile(ast.fix_missing_locations(self.tree), self.path, "exec")


class _Finder:
    """Puts a changed tree in place of one module."""

    def __init__(self, path: Path, tree: ast.Module) -> None:
        self.name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        self._loader = _Loader(self.name, str(path), tree)

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self._loader) if name == self.name else None


class _Tracer:
    """A plugin of pytest: which tests reach which lines of one file."""

    def __init__(self, path: Path) -> None:
        self.reach = Reach()
        self._file = str(path)
        self._test = ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._test = item.nodeid
        began = time.perf_counter()
        threading.settrace(self._enter)
        sys.settrace(self._enter)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)
            self.reach.seconds[item.nodeid] = time.perf_counter() - began

    def _enter(self, frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename != self._file:
            return None
        self._at(frame, event, argument)
        return self._at

    def _at(self, frame: FrameType, event: str, argument: object) -> Any:
        self.reach.lines[frame.f_lineno].add(self._test)
        return self._at


class _Forking:
    """A plugin of pytest: collects once, and runs a fork for each mutant instead of the tests."""

    def __init__(self, path: Path, tree: ast.Module, found: Mapping[int, Mutant], reach: Reach, jobs: int) -> None:
        self.survivors: list[int] = []
        self._functions: list[FunctionType] = []
        self._path, self._tree, self._found, self._reach, self._jobs = path, tree, found, reach, jobs

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        self._functions = [
            found
            for found in gc.get_objects()
            if isinstance(found, FunctionType) and found.__code__.co_filename == str(self._path)
        ]
        gc.freeze()

        def start(index: int) -> int:
            tests = [items[test] for test in self._reach.tests(self._found[index])]
            return _fork(lambda: self._run(session, self._found[index], tests))

        limits = {index: self._reach.limit(mutant) for index, mutant in self._found.items()}
        self.survivors = _pool(start, limits, self._jobs)
        return True

    def _run(self, session: pytest.Session, mutant: Mutant, tests: list[pytest.Item]) -> int:
        mutant.apply()
        code = compile(ast.fix_missing_locations(self._tree), str(self._path), "exec")
        changed = {(one.co_qualname, one.co_firstlineno): one for one in _codes(code)}
        for function in self._functions:
            key = function.__code__.co_qualname, function.__code__.co_firstlineno
            function.__code__ = changed.get(key, function.__code__)
        for test, following in zip(tests, [*tests[1:], None], strict=True):
            session.config.hook.pytest_runtest_protocol(item=test, nextitem=following)
            if session.testsfailed:
                return 1
        return 0


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Of every function in it."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def main() -> int:
    """Exit status: 0 if the tests noticed enough."""
    options = _options()
    killed, tried, began = 0, 0, time.monotonic()
    for path in _modules(options.paths):
        tree = ast.parse(path.read_text())
        reach = _reach(path)
        found = dict(enumerate(mutants(tree)))
        if options.sample and options.sample < len(found):
            chosen = Random(f"{options.seed} {path.relative_to(ROOT)}").sample(sorted(found), options.sample)
            found = {index: found[index] for index in sorted(chosen)}
        survivors = _survivors(path, tree, found, reach, options.jobs)
        killed, tried = killed + len(found) - len(survivors), tried + len(found)
        print(f"{path.relative_to(ROOT)}: {len(found) - len(survivors)} of {len(found)} killed", flush=True)
        for mutant in survivors:
            unreached = "" if reach.tests(mutant) else ", which no test reaches"
            print(f"  {path.relative_to(ROOT)}:{mutant.line} {mutant.what}{unreached}", flush=True)
    share = 100 * killed / tried if tried else 100.0
    print(f"{killed} of {tried} killed, {share:.1f} %, in {time.monotonic() - began:.0f} s")
    return int(share < options.threshold)


def _modules(paths: Sequence[str]) -> Iterator[Path]:
    for path in (ROOT / given for given in paths):
        yield from (p for p in sorted(path.rglob("*.py")) if p.name != "__init__.py") if path.is_dir() else [path]


def _tests_of(path: Path) -> str:
    """Where the tests of a module's room are: its folder, or its own file for a module beside the packages."""
    _, *folders, name = path.relative_to(ROOT).parts
    return str(ROOT / "tests" / (folders[0] if folders else f"test_{name}"))


def _reach(path: Path) -> Reach:
    def run() -> tuple[int, object]:
        tracer = _Tracer(path)
        status = _pytest([_tests_of(path)], [tracer])
        return status, [tracer.reach.seconds, {line: sorted(tests) for line, tests in tracer.reach.lines.items()}]

    status, (seconds, lines) = _told(run)
    if status:
        raise SystemExit(f"the tests of {path.relative_to(ROOT)} fail without any fault")
    fast = {test for test, taken in seconds.items() if taken < SLOW}
    return Reach(seconds, {int(line): set(tests) & fast for line, tests in lines.items()})


def _survivors(path: Path, tree: ast.Module, found: Mapping[int, Mutant], reach: Reach, jobs: int) -> list[Mutant]:
    """The mutants that no test noticed, in their order."""
    reached = {index: mutant for index, mutant in found.items() if reach.tests(mutant)}
    imported = {index: reach.limit(mutant) for index, mutant in reached.items() if mutant.lines is None}

    def run() -> tuple[int, object]:
        forking = _Forking(path, tree, {i: reached[i] for i in reached if i not in imported}, reach, jobs)
        return _pytest([_tests_of(path)], [forking]), forking.survivors

    def start(index: int) -> int:
        def run() -> int:
            found[index].apply()
            sys.meta_path.insert(0, _Finder(path, tree))
            return _pytest(reach.tests(found[index]), [])

        return _fork(run)

    _, survivors = _told(run)
    unreached = [index for index in found if index not in reached]
    return [found[index] for index in sorted([*survivors, *unreached, *_pool(start, imported, jobs)])]


def _pool(start: Callable[[int], int], limits: Mapping[int, float], jobs: int) -> list[int]:
    """Which of the processes that `start` begins end well within their limit in seconds."""
    waiting, survived = list(limits), []
    running: dict[int, tuple[int, float]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            index = waiting.pop(0)
            running[start(index)] = index, time.monotonic() + limits[index]
        for pid, (index, deadline) in list(running.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended and time.monotonic() > deadline:
                os.killpg(pid, signal.SIGKILL)
                ended, status = os.waitpid(pid, 0)
            if ended:
                del running[pid]
                if status == 0:
                    survived.append(index)
        time.sleep(0.002)
    return survived


def _fork(run: Callable[[], int]) -> int:
    """The process that runs this, silent and the leader of its own group; its status is what is returned."""
    if pid := os.fork():
        os.setpgid(pid, pid)
        return pid
    status = 1
    try:
        os.setpgid(0, 0)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        status = run()
    except BaseException:  # noqa: BLE001 - a mutant may raise whatever it likes
        pass
    finally:
        os._exit(status)


def _told(run: Callable[[], tuple[int, object]]) -> tuple[int, Any]:
    """What this returns in a process of its own; its second part as JSON knows it."""
    reader, writer = os.pipe()

    def tell() -> int:
        os.close(reader)
        with os.fdopen(writer, "w") as pipe:
            json.dump(run(), pipe)
        return 0

    pid = _fork(tell)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    status, told = json.loads(text)
    return status, told


def _pytest(tests: list[str], plugins: list[object]) -> int:
    """Its status; examples are few, and the same every time."""
    os.chdir(ROOT)
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    return int(pytest.main([*OPTIONS, *tests], plugins))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./scripts/mutate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="+", help="Modules or packages: bridge/align")
    parser.add_argument("--sample", type=int, help="No more than so many faults of each module")
    parser.add_argument("--seed", type=int, default=1, help="Which ones, of a sample")
    parser.add_argument("--jobs", type=int, default=1, help="Faults that are tried at the same time")
    parser.add_argument("--threshold", type=float, default=95.0, help="Per cent that must be killed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
