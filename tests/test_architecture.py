"""The floor plan of `bridge/__init__.py`, enforced: who may import whom, and what the pure floors do without."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import bridge

ROOT = Path(__file__).parent.parent
LONGEST_MODULE = 350
LONGEST_FUNCTION = 60
IMPURE = {
    *("aiohttp", "asyncio", "logging", "os", "random", "secrets", "socket"),
    *("sqlite3", "subprocess", "threading", "time", "uuid", "websockets"),
}
GIVEN = {"random.Random"}
"""A machine may be given one; only its type is imported."""
PURE_FLOORS = 3


def floor_plan():
    """Room (a module, or a package with a trailing slash) to floor, read from the words at the top of the package."""
    plan, floor = {}, None
    for line in (bridge.__doc__ or "").splitlines():
        if match := re.match(r"    (\d) \w+ +(.+)", line):
            floor, rooms = int(match[1]), match[2]
        elif line.startswith(" " * 16) and floor is not None:
            rooms = line  # the floor goes on
        else:
            continue
        plan |= {room.strip(): floor for room in rooms.split(",") if room.strip()}
    return plan


PLAN = floor_plan()


def room_of(path):
    """The room a module of `bridge` belongs to: the longest name in the plan that holds it."""
    name = path.relative_to(ROOT / "bridge").with_suffix("").as_posix()
    rooms = [room for room in PLAN if name == room or (room.endswith("/") and name.startswith(room))]
    return max(rooms, key=len, default=None)


def modules(package):
    return sorted(path for path in (ROOT / package).rglob("*.py"))


def bridge_modules():
    return [path for path in modules("bridge") if path != ROOT / "bridge" / "__init__.py"]


@cache
def parsed(path):
    return ast.parse(path.read_text())


@cache
def imports(path):
    """Every name that is imported, in full: `from a import b` is `a.b`."""
    names = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{name.name}" for name in node.names]
    return names


def imported_modules(path):
    """The modules of `bridge` that an import loads: what it names, or what that is in."""
    for name in imports(path):
        for module in (name, name.rpartition(".")[0]):
            if module.startswith("bridge.") and (other := module_path(module)):
                yield other


def working_functions(path):
    """Functions that do something; a protocol's have words only."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            words = isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
            if len(node.body) > words:
                yield node


def module_path(name):
    """The file of a dotted name in this project; None for a name inside a module, or of somebody else's."""
    path = ROOT / name.replace(".", "/")
    if path.with_suffix(".py").exists():
        return path.with_suffix(".py")
    return path / "__init__.py" if (path / "__init__.py").exists() else None


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def test_the_plan_is_read():
    assert PLAN["errors"] == 0
    assert PLAN["deepgram/client"] == 4
    assert PLAN["__main__"] == 9


@pytest.mark.parametrize("path", bridge_modules(), ids=name_of)
def test_every_module_has_a_room(path):
    package_door = path.name == "__init__.py"

    assert room_of(path) or package_door, f"{path} is not in the floor plan"


@pytest.mark.parametrize("path", bridge_modules(), ids=name_of)
def test_imports_go_down(path):
    own = room_of(path)
    if own is None:
        return
    for other_path in imported_modules(path):
        other = room_of(other_path)
        if other is None or other == own:
            continue
        beside = PLAN[other] == PLAN[own] and other.split("/")[0] == own.split("/")[0]
        assert beside or PLAN[other] < PLAN[own], f"{own} (floor {PLAN[own]}) imports {other} (floor {PLAN[other]})"


def package_of(path):
    """The package directly below `bridge` that holds a module; a module beside the packages is one by itself."""
    return path.relative_to(ROOT / "bridge").with_suffix("").parts[0]


def test_no_two_packages_import_each_other():
    """Floors alone allow it, where both have rooms on several floors."""
    pairs = {(package_of(path), package_of(other)) for path in bridge_modules() for other in imported_modules(path)}
    mutual = {frozenset(pair) for pair in pairs if pair[0] != pair[1] and pair[::-1] in pairs}
    assert not mutual, f"{sorted(map(sorted, mutual))} import each other"


@pytest.mark.parametrize("path", bridge_modules(), ids=name_of)
def test_one_module_knows_which_store_there_is(path):
    if room_of(path) != "store/" and path.parent.name != "store":
        assert "bridge.store.sqlite.SQLiteStore" not in imports(path), "ask for `open_store`"


@pytest.mark.parametrize("path", modules("bridge/delivery"), ids=name_of)
def test_delivery_knows_a_store_by_its_protocols(path):
    rooms = {room_of(other) for other in imported_modules(path)}
    assert not {room for room in rooms if room and room.startswith("store/")} - {"store/base"}


@pytest.mark.parametrize("path", bridge_modules(), ids=name_of)
def test_the_pure_floors_touch_nothing(path):
    room = room_of(path)
    if room is None or PLAN[room] > PURE_FLOORS:
        return
    tree = parsed(path)
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Await), f"{path} awaits"
    found = {name for name in imports(path) if name.split(".")[0] in IMPURE} - GIVEN
    assert not found, f"{path} imports {found}"
    assert not re.search(r"datetime\.now|datetime\.utcnow|\btime\.time\b", path.read_text())


@pytest.mark.parametrize("path", modules("twiml"), ids=name_of)
def test_twiml_stands_on_its_own(path):
    assert not [name for name in imports(path) if name.split(".")[0] == "bridge"]


@pytest.mark.parametrize("path", [*modules("bridge"), *modules("twiml")], ids=name_of)
def test_modules_and_functions_stay_short(path):
    text = path.read_text()
    assert text.count("\n") <= LONGEST_MODULE, f"{path} is too long"
    for node in working_functions(path):
        length = (node.end_lineno or 0) - node.lineno + 1
        assert length <= LONGEST_FUNCTION, f"{path}:{node.lineno} {node.name} has {length} lines"


@pytest.mark.parametrize("path", [*modules("bridge"), *modules("twiml")], ids=name_of)
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(parsed(path)), f"{path} has no words at its top"


@pytest.mark.parametrize("path", [*modules("bridge"), *modules("twiml")], ids=name_of)
def test_every_module_has_a_test_of_its_name(path):
    relative = path.relative_to(ROOT)
    if not list(working_functions(path)) or path.name in ("__init__.py", "__main__.py"):
        return
    parts = relative.parts[1:] if relative.parts[0] == "bridge" else relative.parts
    mirrored = Path("tests", *parts[:-1], f"test_{parts[-1]}")
    # A small package may be tested as one.
    whole = Path("tests", *parts[:-2], f"test_{parts[-2]}.py") if len(parts) > 1 else mirrored
    assert (ROOT / mirrored).exists() or (ROOT / whole).exists(), f"{relative} wants {mirrored}"
