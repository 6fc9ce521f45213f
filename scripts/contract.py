"""Holds the documents of the contract against what others read them with; `scripts/contract` runs it.

    OpenAPI      openapi-spec-validator
    AsyncAPI     @asyncapi/parser
    TypeScript   openapi-typescript makes bridge/contract/bridge.d.ts, and tsc compiles a consumer
    the server   Schemathesis asks a running bridge, which has real calls, for everything in every way

What is not installed is installed once, in a folder under the user's cache; what cannot be, is skipped with a word.
"""

import argparse
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from json import loads
from pathlib import Path
from typing import Any

from bridge.web import contract
from scripts import installing

ROOT = Path(__file__).parent.parent
TYPES = ROOT / "bridge" / "contract" / "bridge.d.ts"

PYTHON = ("schemathesis==4.32.5", "openapi-spec-validator==0.9.0")
NODE = ("@asyncapi/parser@3.6.6", "openapi-typescript@7.13.0", "typescript@5.9.3")
INSTALLING = 240
"""Seconds that an installation may take."""

ASKING = 25
"""Seconds for which Schemathesis asks, each time."""

TOKEN = "a-token-for-the-contract"

PARSE = """
import { Parser } from "@asyncapi/parser";
import { readFileSync } from "node:fs";
const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[1], "utf8"));
const wrong = diagnostics.filter((one) => one.severity < 2);
for (const one of wrong) console.error(one.path.join("."), one.message);
process.exit(document && !wrong.length ? 0 : 1);
"""
"""Errors and warnings; that there is a newer version of the standard is neither."""

CONFIG = """
# Every wrong token is answered later than the one before: tests/web/test_contract.py sees who is let in.
[checks]
ignored_auth.enabled = false
# An answer to If-Match and to Range may be that there is no such thing.
positive_data_acceptance.expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "412", "416", "503"]
# A feed does not end. What carriers ask depends on a signature, or is a socket, which Schemathesis cannot open.
[[operations]]
include-operation-id = "followCalls"
enabled = false
[[operations]]
include-operation-id = "login"
enabled = false
[[operations]]
include-tag = "carriers"
checks.missing_required_header.enabled = false
checks.negative_data_rejection.enabled = false
checks.positive_data_acceptance.enabled = false
# Which endpoints there are is said by the settings, not by the document.
[[operations]]
include-tag = "delivery"
checks.positive_data_acceptance.enabled = false
"""

Check = Callable[[Path, Path], bool]


def folder(name: str, packages: Sequence[str]) -> Path:
    """Where packages of these versions are, installed or not."""
    versions = sha256(" ".join(packages).encode()).hexdigest()[:12]
    return installing.cache("contract") / f"{name}-{sys.implementation.cache_tag}-{versions}"


def install(name: str, packages: Sequence[str]) -> str | None:
    """Install them, if that has not been done; what went wrong, or None."""
    place = folder(name, packages)
    if installing.is_made(place):
        return None
    if name == "python":
        return installing.make_environment(place, packages, INSTALLING)
    return installing.make_node(place, packages, INSTALLING)


def passes(*command: str | Path, **options: object) -> bool:
    """Run a command; it says itself what is wrong."""
    return subprocess.run(list(map(str, command)), check=False, **options).returncode == 0  # type: ignore[call-overload, no-any-return]


def valid_openapi(tools: Path, documents: Path) -> bool:
    """Whether the document is OpenAPI."""
    return passes(tools / "bin" / "openapi-spec-validator", documents / "openapi.json")


def valid_asyncapi(tools: Path, documents: Path) -> bool:
    """Whether the document is AsyncAPI."""
    return passes("node", "--input-type=module", "-e", PARSE, documents / "asyncapi.json", cwd=tools)


def make_types(tools: Path, documents: Path) -> bool:
    """Make the types for TypeScript."""
    made, document = documents / "bridge.d.ts", documents / "openapi.json"
    command = (
        tools / "node_modules" / ".bin" / "openapi-typescript",
        document,
        "--root-types",
        "--root-types-no-schema-prefix",
        "-o",
        made,
    )
    return passes(*command, stdout=subprocess.DEVNULL)


def current_types(tools: Path, documents: Path) -> bool:
    """Whether those that are kept are those of the document."""
    if not make_types(tools, documents):
        return False
    if TYPES.read_text() == (documents / "bridge.d.ts").read_text():
        return True
    print(f"{TYPES.relative_to(ROOT)} is of another document: run ./scripts/contract --write", file=sys.stderr)
    return False


def compiled(tools: Path, documents: Path) -> bool:
    """Whether a consumer with these types compiles."""
    shutil.copy(TYPES, documents / "bridge.d.ts")
    consumer = Path(shutil.copy(ROOT / "scripts" / "contract.ts", documents))
    return passes(tools / "node_modules" / ".bin" / "tsc", "--strict", "--noEmit", "--target", "es2022", consumer)


def conforming(tools: Path, documents: Path) -> bool:
    """Whether the server answers as its document says: to ids that there are not, and then to those of real calls."""
    with served(documents) as origin:
        media = f"{origin.replace('http', 'ws', 1)}/media/twilio"
        for _ in range(2):
            if not passes(sys.executable, "-m", "bridge", "call", "--to", media, "--speed", "0"):
                return False
        calls = ended_calls(origin)
        named = f'[parameters]\n"path.id" = "{calls[0]}"\n'
        return asked(tools, documents, origin, CONFIG) and asked(
            tools, documents, origin, named + CONFIG, "--exclude-method", "DELETE"
        )


def asked(tools: Path, documents: Path, origin: str, config: str, *options: str) -> bool:
    """Whether Schemathesis finds nothing."""
    (documents / "schemathesis.toml").write_text(config)
    command = (tools / "bin" / "schemathesis", "--config-file", documents / "schemathesis.toml", "run")
    bounds = ("--max-time", str(ASKING), "--request-timeout", "5", "--max-examples", "30", "--warnings", "off")
    access = ("-H", f"Authorization: Bearer {TOKEN}", "--generation-database", ":memory:")
    return passes(*command, f"{origin}/openapi.json", *bounds, *access, *options, cwd=documents)


@contextlib.contextmanager
def served(documents: Path) -> Iterator[str]:
    """A bridge with the local engine, in a process of its own; its origin."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    origin = f"http://127.0.0.1:{port}"
    settings = {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PUBLIC_URL": origin,
        "DATA_DIR": str(documents / "data"),
        "TWILIO_SIGNATURE": "off",
        "WEBHOOK_URL": "http://127.0.0.1:9/",  # where no one listens, so that there is something to deliver
        "WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "BRIDGE_READ_TOKENS": TOKEN,
        "BRIDGE_RECORDINGS": "true",
        "BRIDGE_REPLAY_SPEED": "1000",
        "BRIDGE_LOG_LEVEL": "error",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", "serve", "--local"], cwd=ROOT, env={**os.environ, **settings}
    )
    try:
        until(lambda: get(f"{origin}/readyz").get("status") == "ready")
        yield origin
    finally:
        process.terminate()
        process.wait(30)


def ended_calls(origin: str) -> list[str]:
    """The ids of calls that have ended, once all have."""

    def calls(active: str) -> list[Mapping[str, str]]:
        found: list[Mapping[str, str]] = get(f"{origin}/calls?active={active}")["calls"]
        return found

    until(lambda: bool(calls("false")) and not calls("true"))
    return [call["id"] for call in calls("false")]


def get(url: str) -> Any:
    """The JSON that is answered; nothing while no one answers."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return loads(response.read())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return {}


def until(happened: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait for another process."""
    ends = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > ends:
            raise SystemExit(f"the bridge took more than {seconds:.0f} s")
        time.sleep(0.1)


CHECKS: Mapping[str, tuple[str, Check]] = {
    "OpenAPI": ("python", valid_openapi),
    "AsyncAPI": ("node", valid_asyncapi),
    "the types for TypeScript": ("node", current_types),
    "a consumer in TypeScript": ("node", compiled),
    "the server": ("python", conforming),
}


def main() -> int:
    """Run every check; how many have found something."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="Write bridge/contract/bridge.d.ts")
    options = parser.parse_args()
    tools = {"python": PYTHON, "node": NODE}
    missing = {name: complaint for name, packages in tools.items() if (complaint := install(name, packages))}
    with tempfile.TemporaryDirectory() as temporary:
        documents = Path(temporary)
        for name in ("openapi", "asyncapi"):
            (documents / f"{name}.json").write_text(contract.written(name))
        if options.write:
            if "node" in missing or not make_types(folder("node", NODE), documents):
                raise SystemExit(f"the types are not made: {missing.get('node', 'see above')}")
            shutil.copy(documents / "bridge.d.ts", TYPES)
        failed = 0
        for what, (tool, check) in CHECKS.items():
            if tool in missing:
                print(f"not checked: {what}: {missing[tool]}", file=sys.stderr)
                continue
            found = not check(folder(tool, tools[tool]), documents)
            failed += found
            print(f"{'wrong' if found else 'right'}: {what}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
