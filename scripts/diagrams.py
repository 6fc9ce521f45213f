"""The machines' tables of states as Mermaid state diagrams, drawn from the code that runs.

diagrams                            all of them
diagrams bridge.deepgram.states     this one
"""

import importlib
import re
import sys
from enum import Enum
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))


def machines():
    """The names of the modules that have a table, in order."""
    paths = sorted((ROOT / "bridge").rglob("*.py"))
    tables = [path for path in paths if re.search(r"^TRANSITIONS\b", path.read_text(), re.MULTILINE)]
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in tables]


def ways(transitions):
    """(from, to) of every transition to the names of its triggers; a table without triggers has none."""
    found: dict[tuple[Enum, Enum], list[str]] = {}
    for state, following in transitions.items():
        if isinstance(following, dict):
            for trigger, after in following.items():
                found.setdefault((state, after), []).append(trigger.name)
        else:
            found |= {
                (state, after): [] for after in sorted(following, key=lambda after: list(transitions).index(after))
            }
    return found


def draw(transitions):
    """One table. Its first state is where the machine begins; a state that leads to no other is where it ends."""
    arrows = ways(transitions)
    states: type[Enum] = type(next(iter(transitions)))
    begin = next(iter(states))
    ends = [state for state in transitions if not any(one is state and other is not state for one, other in arrows)]
    return "\n".join(
        [
            "stateDiagram-v2",
            f"    [*] --> {begin.name}",
            *(
                f"    {state.name} --> {after.name}" + (f": {', '.join(triggers)}" if triggers else "")
                for (state, after), triggers in arrows.items()
            ),
            *(f"    {state.name} --> [*]" for state in ends),
        ]
    )


def main(names):
    """Print a section of Markdown for each."""
    for name in names or machines():
        print(f"## {name}\n\n```mermaid\n{draw(importlib.import_module(name).TRANSITIONS)}\n```\n")


if __name__ == "__main__":
    main(sys.argv[1:])
