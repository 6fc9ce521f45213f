"""Real messages, changed a little, at each border: no exception, and nothing that could be read is lost unsaid.

Bounded by a number of inputs for each border. The seed is printed first: the same seed makes the same inputs.
"""

import argparse
import asyncio
import secrets
import sys
import time
import traceback
from random import Random

from tests.fuzz.borders import BORDERS
from tests.fuzz.routes import tried

SHOWN = 5


def main() -> int:
    """Exit status: 0 if every promise held."""
    parser = argparse.ArgumentParser(
        prog="./scripts/fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("borders", nargs="*", help=f"by default all: {', '.join(BORDERS)}, routes")
    parser.add_argument("--inputs", type=int, default=10_000, help="for each border, by default 10000")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="by default another every time")
    options = parser.parse_args()
    print(f"./scripts/fuzz --seed {options.seed} --inputs {options.inputs}")
    failed = 0
    for name in options.borders or [*BORDERS, "routes"]:
        failed += (_ask if name == "routes" else _try)(name, options.seed, options.inputs)
    return int(failed > 0)


def _ask(name: str, seed: int, inputs: int) -> int:
    began = time.monotonic()
    wrong = asyncio.run(tried(seed, inputs))
    for line in wrong[:SHOWN]:
        print(line)
    print(f"{name}: {inputs} inputs, {len(wrong)} broke a promise, {time.monotonic() - began:.0f} s", flush=True)
    return len(wrong)


def _try(name: str, seed: int, inputs: int) -> int:
    began, failures = time.monotonic(), 0
    for number in range(inputs):
        try:
            BORDERS[name](Random(f"{seed} {name} {number}"))
        except Exception:  # noqa: BLE001 - whatever it is, it is what we look for
            failures += 1
            if failures <= SHOWN:
                print(f"{name}, input {number}:\n{traceback.format_exc(limit=-3)}")
    seconds = time.monotonic() - began
    print(f"{name}: {inputs} inputs, {failures} broke a promise, {seconds:.0f} s", flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(main())
