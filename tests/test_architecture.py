"""The layers of `bridge/__init__.py`, enforced: which module may import which, and what the pure layers may not use."""

import ast
import re
from functools import cache
from pathlib import Path

import bridge

ROOT = Path(__file__).parent.parent
LONGEST_MODULE = 350
LONGEST_FUNCTION = 60
IMPURE = {
    *("aiohttp", "asyncio", "logging", "os", "random", "secrets", "socket"),
    *("sqlite3", "subprocess", "threading", "time", "uuid", "websockets"),
}
GIVEN = {"random.Random", "socket.gaierror"}
"""A machine may be given one; only its type is imported."""
PURE_LAYERS = 3


def layer_plan():
    """The layer of each unit (a module, or a package with a trailing slash), read from the docstring of the package."""
    plan, layer = {}, None
    for line in (bridge.__doc__ or "").splitlines():
        if match := re.match(r" {3,4}(-?\d+) \w+ +(.+)", line):
            layer, units = int(match[1]), match[2]
        elif line.startswith(" " * 16) and layer is not None:
            units = line  # the layer goes on
        else:
            continue
        plan |= {unit.strip(): layer for unit in units.split(",") if unit.strip()}
    return plan


PLAN = layer_plan()


def unit_of(path):
    """The unit of the plan that a module of `bridge` belongs to: the longest name that contains it."""
    name = path.relative_to(ROOT / "bridge").with_suffix("").as_posix()
    units = [unit for unit in PLAN if name == unit or (unit.endswith("/") and name.startswith(unit))]
    return max(units, key=len, default=None)


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
    """The file of a dotted name in this project; None for a name inside a module, or outside the project."""
    path = ROOT / name.replace(".", "/")
    if path.with_suffix(".py").exists():
        return path.with_suffix(".py")
    return path / "__init__.py" if (path / "__init__.py").exists() else None


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def assert_none(faults):
    """A test per rule, with every offender in its message."""
    listed = list(faults)
    assert not listed, "\n".join(["", *listed])


def test_the_plan_is_read():
    assert PLAN["errors"] == 0
    assert PLAN["deepgram/client"] == 4
    assert PLAN["__main__"] == 10


def test_every_module_has_a_layer():
    assert_none(name_of(path) for path in bridge_modules() if not unit_of(path) and path.name != "__init__.py")


def test_imports_go_down():
    assert_none(fault for path in bridge_modules() for fault in upward_imports(path))


def upward_imports(path):
    own = unit_of(path)
    for other_path in imported_modules(path) if own else ():
        other = unit_of(other_path)
        if other is None or other == own:
            continue
        beside = PLAN[other] == PLAN[own] and other.split("/")[0] == own.split("/")[0]
        if not beside and PLAN[other] >= PLAN[own]:
            yield f"{name_of(path)} (layer {PLAN[own]}) imports {other} (layer {PLAN[other]})"


def package_of(path):
    """The package directly below `bridge` that holds a module; a module beside the packages is one by itself."""
    return path.relative_to(ROOT / "bridge").with_suffix("").parts[0]


def test_no_two_packages_import_each_other():
    """Layers alone allow it, where both have units on several layers."""
    pairs = {(package_of(path), package_of(other)) for path in bridge_modules() for other in imported_modules(path)}
    mutual = {frozenset(pair) for pair in pairs if pair[0] != pair[1] and pair[::-1] in pairs}

    assert_none(f"{one} and {other} import each other" for one, other in map(sorted, mutual))


def test_one_module_knows_which_store_there_is():
    others = [path for path in bridge_modules() if package_of(path) != "store"]

    assert_none(name_of(path) for path in others if "bridge.store.sqlite.SQLiteStore" in imports(path))


def test_delivery_knows_a_store_by_its_protocols():
    units = {(path, unit_of(other)) for path in modules("bridge/delivery") for other in imported_modules(path)}
    known = {
        (path, unit)
        for path, unit in units
        if unit and unit.startswith("store/") and unit not in ("store/base", "store/outbox")
    }

    assert_none(f"{name_of(path)} imports {unit}" for path, unit in known)


def test_the_pure_layers_touch_nothing():
    pure = [path for path in bridge_modules() if PLAN.get(unit_of(path), PURE_LAYERS + 1) <= PURE_LAYERS]

    assert_none(fault for path in pure for fault in impurities(path))


def impurities(path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Await):
            yield f"{name_of(path)}:{node.lineno} awaits"
    for name in imports(path):
        if name.split(".")[0] in IMPURE and name not in GIVEN:
            yield f"{name_of(path)} imports {name}"
    for clock in re.findall(r"datetime\.now|datetime\.utcnow|\btime\.time\b", path.read_text()):
        yield f"{name_of(path)} calls {clock}"


def test_twiml_stands_on_its_own():
    found = [(path, name) for path in modules("twiml") for name in imports(path) if name.split(".")[0] == "bridge"]

    assert_none(f"{name_of(path)} imports {name}" for path, name in found)


def test_modules_and_functions_stay_short():
    assert_none(fault for path in [*modules("bridge"), *modules("twiml")] for fault in too_long(path))


def too_long(path):
    if (lines := path.read_text().count("\n")) > LONGEST_MODULE:
        yield f"{name_of(path)} has {lines} lines"
    for node in working_functions(path):
        if (lines := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION:
            yield f"{name_of(path)}:{node.lineno} {node.name} has {lines} lines"


def test_every_module_says_what_it_is():
    paths = [*modules("bridge"), *modules("twiml")]

    assert_none(name_of(path) for path in paths if not ast.get_docstring(parsed(path)))


def test_every_module_has_a_test_of_its_name():
    paths = [*modules("bridge"), *modules("twiml")]

    assert_none(f"{name_of(path)} wants {mirrored(path)}" for path in paths if untested(path))


def untested(path):
    if not list(working_functions(path)) or path.name in ("__init__.py", "__main__.py"):
        return False
    # A small package may be tested as one.
    whole = mirrored(path).parent.with_name(f"test_{path.parent.name}.py")
    return not (ROOT / mirrored(path)).exists() and not (ROOT / whole).exists()


def mirrored(path):
    *folders, name = path.relative_to(ROOT).parts
    return Path("tests", *(folders[1:] if folders[0] == "bridge" else folders), f"test_{name}")


def test_the_middle_knows_no_carrier():
    """What is one carrier's stands in its dialect, and in the handler that authenticates it."""
    units = ("call", "align", "transcript")
    paths = [*(path for unit in units for path in modules(f"bridge/{unit}")), ROOT / "bridge" / "web" / "media.py"]
    told = "twilio|twiml|telnyx|jambonz"
    assert_none(
        f"{name_of(path)} names {found[0]}" for path in paths if (found := re.search(told, path.read_text(), re.I))
    )
