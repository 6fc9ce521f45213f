"""Versions to test with, as constraints for pip: the lowest that pyproject.toml allows, or the newest, for the lock.

`lowest` prints what the project names itself at its lower bound; what that needs in turn is left to pip. `lock` prints
what pip would install today for each of the Python interpreters given, all of it, so that a release elsewhere breaks
no newcomer's first minute.
"""

import argparse
import json
import re
import subprocess
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(?P<specifiers>[^;]*)(?P<marker>;.*)?")


def lowest(requirements: Iterable[str]) -> Iterator[str]:
    """A constraint for each requirement; raises ValueError for one that has no lower bound."""
    for requirement in requirements:
        parts = _REQUIREMENT.fullmatch(requirement)
        bound = parts and re.search(r">=\s*([\w.]+)", parts["specifiers"])
        if not parts or not bound:
            raise ValueError(f"{requirement!r} has no lower bound")
        yield f"{parts['name']}=={bound[1]}{parts['marker'] or ''}"


def lock(resolved: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Constraints from the versions of each package by Python version; a marker only where they differ."""
    versions: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for python, packages in resolved.items():
        for name, version in packages.items():
            versions[name][version].append(python)
    for name, pythons in sorted(versions.items()):
        for version, which in pythons.items():
            marker = " or ".join(f"python_version == '{python}'" for python in which)
            yield f"{name}=={version}" + (f"; {marker}" if len(pythons) > 1 else "")


def resolve(interpreter: str, extras: str) -> tuple[str, dict[str, str]]:
    """The version of an interpreter, and what pip would install for it: package to version."""
    command = (interpreter, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-")
    told = subprocess.run((*command, f"{ROOT}[{extras}]"), check=True, stdout=subprocess.PIPE).stdout
    report: dict[str, Any] = json.loads(told)
    found = [entry["metadata"] for entry in report["install"] if "dir_info" not in entry["download_info"]]
    names = {re.sub(r"[-_.]+", "-", entry["name"]).lower(): entry["version"] for entry in found}
    return report["environment"]["python_version"], names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["lowest", "lock"])
    parser.add_argument("extras", help="Optional dependencies that are meant too, with commas between them")
    parser.add_argument("interpreters", nargs="*", help="For the lock: with pip, one of each Python version")
    options = parser.parse_args()
    if options.what == "lock":
        print("\n".join(lock(dict(resolve(interpreter, options.extras) for interpreter in options.interpreters))))
        return
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chosen = [project["optional-dependencies"][extra] for extra in options.extras.split(",")]
    print("\n".join(lowest(sum(chosen, project["dependencies"]))))


if __name__ == "__main__":
    main()
