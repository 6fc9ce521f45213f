"""What the README and the pages show is held against what there is: commands and their options, settings, scripts,
paths, bodies, events. `tests/scripts/test_examples.py` runs the programs, and `tests/examples` what is around them.
"""

import json
import os
import re
import shlex
import tomllib
from functools import cache
from textwrap import dedent
from urllib.parse import urlsplit
from xml.etree import ElementTree

import jsonschema_rs
import pytest
import typer

from bridge import rights
from bridge.cli.main import COMMANDS, build
from bridge.config import Settings, load
from bridge.contract.schemas import REF
from bridge.endpoints import endpoints
from bridge.redaction import rules
from bridge.web import contract
from tests.fakes.contract import closed, named
from tests.test_docs import PAGES, ROOT

SETTINGS = {name.upper() for name in Settings.model_fields}
OURS = re.compile(r"(?:BRIDGE|WEBHOOK|DEEPGRAM|TWILIO)_[A-Z_]*[A-Z]|PUBLIC_URL|DATA_DIR|DATABASE_URL")
"""Names that look like settings."""
OTHERS = {"BRIDGE_URL", "BRIDGE_TOKEN"}
"""Of the commands that read, and the client's examples."""
VARIABLES = OTHERS | {
    "TOKEN",
    "SSL_CERT_FILE",
    "CRM_SECRET",
    "DOMAIN",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_SERVICE_NAME",
}

PROGRAMS = {
    ".",
    "caddy",
    "chmod",
    "cloudflared",
    "cp",
    "curl",
    "docker",
    "echo",
    "heroku",
    "install",
    "npm",
    "pip",
    "printf",
}
PROGRAMS |= {"python3", "systemctl", "uvicorn", "uvx", "pipx", "/opt/media-stream-bridge/bin/pip"}
"""Not ours; what of their words is a file of ours is looked at."""

MADE_BY_THE_READER = {"scripts/deploy/bridge.env"}
SERVICE = "bridge"
"""Of the compose file, whose commands are typed behind its name."""

JSON = {
    ("access.md", "action"): "AuditEntry",
    ("doctor.md", "warnings"): "Readiness",
    ("endpoints.md", "after"): "Delivery",
    ("README.md", "call"): "Delivery",
}
"""By page and a key that they have: bodies of ours that are no events."""
PEERS = {("carriers.md", "stream_url"), ("carriers.md", "verb")}
"""And what is sent to others."""


def blocks(*languages):
    """Every block of code in one of these languages, as (name, code)."""
    found = []
    for page in PAGES:
        for match in re.finditer(r"^( *)```(\w*)\n(.*?)^\1```$", page.read_text(), re.DOTALL | re.MULTILINE):
            if match[2] in languages:
                line = page.read_text()[: match.start()].count("\n") + 2
                found.append(pytest.param(page.name, dedent(match[3]), id=f"{page.name}:{line}"))
    return found


def inline():
    """Everything in backticks, outside of blocks, as (page, code)."""
    for page in PAGES:
        if page.name != "CHANGELOG.md":
            text = re.sub(r"^( *)```.*?^\1```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
            yield from ((page.name, re.sub(r"\s+", " ", code)) for code in re.findall(r"`([^`]+)`", text))


@cache
def commands():
    return typer.main.get_command(build(COMMANDS)).commands


@cache
def paths():
    """Of the HTTP API, as (methods, expression)."""
    found = contract.document()["paths"].items()
    return [({each.upper() for each in said}, re.sub(r"\{\w+\}", "[^/]+", path)) for path, said in found]


def spoken(code):
    """The simple commands of a piece of shell, as lists of words, without what is done with their output."""
    for line in re.sub(r"\\\n *", "", code).splitlines():
        line = re.sub(r"\$\([^)]*\)", "made", line)
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        words = []
        for word in [*lexer, ";"]:
            if word in ("|", "&&", ";"):
                yield words
                words = []
            else:
                words.append(word)


def told(words):
    """A command without the variables before it, which are looked at, and without redirections."""
    words = [word for place, word in enumerate(words) if not {"<", ">"} & {word, words[place - 1] if place else ""}]
    while words and (match := re.fullmatch(r"([A-Z_]+)=.*", words[0])):
        assert match[1] in SETTINGS | VARIABLES, f"there is no setting {match[1]}"
        words = words[1:]
    return words


def look_at_command(words):
    """Whether a command of ours takes these words."""
    name, *rest = words
    assert name in commands(), f"there is no bridge {name}"
    command = commands()[name]
    for place, word in enumerate(rest):  # files of the reader's need not be there
        if re.search(r"\.(wav|mp3|m4a|toml|ulaw|db)$", word):
            rest[place] = __file__
    command.make_context(name, rest)


@pytest.mark.parametrize(("page", "code"), blocks("sh"))
def test_a_piece_of_shell_says_what_there_is(page, code):
    place = ROOT
    for words in map(told, spoken(code)):
        match words:
            case []:
                pass
            case ["export", *names]:
                for name in names:
                    assert name.partition("=")[0] in SETTINGS | VARIABLES, name
            case ["bridge", *rest]:
                look_at_command(rest)
            case ["cd", folder]:
                place = ROOT / folder
                assert place.is_dir()
            case ["cp", *files, _]:
                assert [name for name in files if not (place / name).exists()] == []
            case ["docker", "compose", "exec", service, program, *rest]:
                assert service == SERVICE and program in ("bridge", "cat")
                if program == "bridge":
                    look_at_command(rest)
            case [script, *_] if script.startswith("./scripts/"):
                assert os.access(ROOT / script, os.X_OK), script
            case [program, *rest]:
                assert program in PROGRAMS, program
                files = [word for word in rest if word.startswith("scripts/")]
                assert [name for name in files if not (ROOT / name).exists() and name not in MADE_BY_THE_READER] == []
                if "bridge" in rest and program != "docker":
                    look_at_command(rest[rest.index("bridge") + 1 :])
                for url in (word for word in rest if word.startswith("https://calls.example.com/")):
                    assert any(re.fullmatch(path, urlsplit(url).path) for _, path in paths()), url


def test_commands_in_sentences_exist_with_their_options():
    wrong = []
    for page, code in inline():
        if match := re.match(r"(?:\S+=\S+ )*bridge (?!…|--)(\S+)(.*)", code):
            command = commands().get(match[1])
            known = {each for one in command.params for each in (*one.opts, *one.secondary_opts)} if command else set()
            known.add("--help")
            wrong += [] if command else [(page, code)]
            wrong += [(page, code, word) for word in re.findall(r" (--?[a-z][\w-]*)", match[2]) if word not in known]
    assert not wrong


def test_extras_that_are_installed_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = re.findall(r"(?:\.|bridge|whl|EXTRAS=)\[([a-z,]+)\]", "".join(page.read_text() for page in PAGES))

    assert len(asked) > 5
    assert {name for names in asked for name in names.split(",")} <= extras.keys()


def test_scripts_in_sentences_exist():
    found = {(page, code) for page, code in inline() if code.startswith("./scripts/")}
    assert [(page, code) for page, code in found if not os.access(ROOT / code.split()[0], os.X_OK)] == []


def test_settings_in_sentences_exist():
    found = {(page, match[0]) for page, code in inline() if (match := re.match(rf"({OURS.pattern})(?!\w|…)", code))}
    assert [(page, name) for page, name in sorted(found) if name not in SETTINGS | OTHERS] == []


def test_paths_in_sentences_exist():
    wrong = []
    for page, code in inline():
        if match := re.fullmatch(r"(GET|POST|DELETE) (/[^\s?]*)(?:\?\S*)?", code):
            filled = re.sub(r"\{\w+\}|…", "x", match[2])
            if not any(match[1] in methods and re.fullmatch(path, filled) for methods, path in paths()):
                wrong.append((page, code))
    assert not wrong


def _optional(schema):
    """A schema that asks for nothing; a property may be called `required`, too."""
    return {name: value for name, value in schema.items() if name != "required" or not isinstance(value, list)}


@cache
def parts():
    """For each type of the contract what holds a part of it to its fields; none need be there."""
    components = {name: closed(each) for name, each in contract.document()["components"]["schemas"].items()}
    components = json.loads(json.dumps(components), object_hook=_optional)
    return {
        name: jsonschema_rs.Draft202012Validator({"$ref": REF + name, "components": {"schemas": components}})
        for name in ("AuditEntry", "Readiness", "Delivery", "Again", "AllAgain", "ControlRequest", "ConfigureRequest")
        + ("LinkRequest", "Refusal")
    }


def test_every_path_is_on_a_page():
    """All but those that the page in a browser and the carriers use."""
    text = "".join(page.read_text() for page in PAGES)
    for path, said in contract.document()["paths"].items():
        known = path.replace("transcript.{form}", "transcript.txt").replace("{file}", "Delivery.json")
        if not re.match(r"/(media|twiml|static|log(in|out)|api$|$)", path):
            assert all(f"`{method.upper()} {known}" in text or f"`{known}`" in text for method in said), path


@pytest.mark.parametrize(("page", "code"), blocks("json"))
def test_json_is_what_the_contract_says(page, code):
    said = json.loads(code)
    if said.get("type") == "call.events" and set(said["call"]) != {"id"}:
        assert named("Delivery", said) is None
    elif "data" in said:
        assert named("Event", said) is None
    elif not any(where == page and key in said for where, key in PEERS):
        kind = next(kind for (where, key), kind in JSON.items() if where == page and key in said)
        assert [error.message for error in parts()[kind].iter_errors(said)] == []


def test_bodies_in_sentences_are_requests_or_refusals():
    found = [(page, code) for page, code in inline() if code.startswith('{"') and "…" not in code]
    bodies = [kind for kind in parts() if kind != "Delivery"]

    assert len(found) > 5
    assert [
        (page, code) for page, code in found if not any(parts()[kind].is_valid(json.loads(code)) for kind in bodies)
    ] == []


@pytest.mark.parametrize(("page", "code"), blocks("toml"))
def test_toml_is_read_as_the_bridge_reads_it(page, code, tmp_path):
    filled = code.replace("whsec_…", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    if "token" in tomllib.loads(code):
        assert rights.parse(filled)
    else:
        (tmp_path / "endpoints.toml").write_text(filled)
        settings = load({"BRIDGE_ENDPOINTS": str(tmp_path / "endpoints.toml")})
        secret = {"CRM_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
        assert len(endpoints(settings, secret)) == code.count("[[endpoint]]")


@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_python_compiles(page, code):
    compile(code, page, "exec")


@pytest.mark.parametrize(("page", "code"), blocks("xml"))
def test_xml_is_well_formed(page, code):
    ElementTree.fromstring(code)


def test_xml_in_sentences_is_well_formed():
    found = [code for _, code in inline() if re.fullmatch(r"<(\w+).*(</\1|/)>", code)]
    assert found
    for code in found:
        ElementTree.fromstring(code)


@pytest.mark.parametrize(("page", "code"), blocks("ts"))
def test_typescript_is_what_the_compiler_has_seen(page, code):
    """`./scripts/contract` compiles that file."""
    function = re.search(r"function (\w+)\((\w+): (\w+)\)", code)
    assert f"function {function[1]}({function[2]}: {function[3]})" in (ROOT / "scripts" / "contract.ts").read_text()


def test_own_patterns_are_read_as_the_bridge_reads_them():
    [code] = [each.values[1] for each in blocks("") if each.values[0] == "privacy.md"]
    assert len(rules.parse_patterns(code)) == 2


def test_every_block_is_looked_at():
    """A new language needs a test; what a program prints, and drawings, have none. SQL runs in `./scripts/postgres`."""
    known = {"sh", "json", "toml", "python", "xml", "ts", "js", "sql", ""}
    found = {match for page in PAGES for match in re.findall(r"^ *```(\w+)$", page.read_text(), re.MULTILINE)}

    assert found <= known
