"""The page for consumers and the examples behind it: one text, and snippets that run."""

import ast
import json
import re
from pathlib import Path

import pytest

from tests.fakes import words
from tests.fakes.reading import TOKEN, doors

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "scripts" / "examples"
PAGE = (ROOT / "bridge" / "docs" / "consumers.md").read_text()
SNIPPETS = [code for _, code in re.findall(r"```(python|js)\n(.*?)```", PAGE, re.DOTALL)]
PROGRAMS = sorted(path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".js"))


def code_of(name):
    """A file without the comment at its top."""
    end = '\n"""\n' if name.endswith(".py") else "*/\n"
    return (EXAMPLES / name).read_text().partition(end)[2].strip() + "\n"


@pytest.mark.parametrize("name", ["fastapi_consumer.py", "flask_consumer.py", "express_consumer.js"])
def test_what_the_page_shows_is_the_file(name):
    assert code_of(name) in SNIPPETS
    assert 20 <= len([line for line in code_of(name).splitlines() if line]) <= 40


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_says_what_it_does_and_how_to_run_it(name):
    text = (EXAMPLES / name).read_text()
    head = ast.get_docstring(ast.parse(text)) if name.endswith(".py") else text[: text.index("*/")]
    commands = re.findall(r"^ {4,}(\S.*)$", head, re.MULTILINE)
    assert "install" in commands[0] and name.split(".")[0] in " ".join(commands[1:])
    assert f"scripts/examples/{name}" in PAGE


def test_what_is_installed_is_what_the_project_asks_for():
    project = (ROOT / "pyproject.toml").read_text()
    told = re.findall(r"'((?:aiohttp|pydantic)>=[\d.]+)'", PAGE + "".join(map(str, map(code_head, PROGRAMS))))
    assert len(told) > 5
    assert all(f'"{requirement}"' in project for requirement in told)


def code_head(name):
    return (EXAMPLES / name).read_text()[:1000]


def test_every_hint_has_words_to_listen_for():
    for rule in json.loads((EXAMPLES / "hints.json").read_text()):
        assert rule["title"] and rule["hint"] and all(word.strip() == word for word in rule["words"])


@pytest.mark.parametrize(("number", "told"), [(3, "CA1 caller: words of 2"), (4, "call.ended")])
async def test_the_other_snippets_run(tmp_path, monkeypatch, capsys, number, told):
    """The feed's until the record has nothing more, which it is told by the end of the bridge."""
    source = SNIPPETS[number]
    assert source.endswith("asyncio.run(main())\n")
    names = {}
    exec(compile(source.removesuffix("asyncio.run(main())\n"), "consumers.md", "exec"), names)
    async with doors(tmp_path) as house:
        monkeypatch.setenv("BRIDGE_URL", house.origin)
        monkeypatch.setenv("BRIDGE_TOKEN", TOKEN)
        if number == 4:
            await house.store.append(words.conversation(finals=1))
            await names["main"]()
        else:
            reading = names["asyncio"].ensure_future(names["main"]())
            while not house.live.followers:
                await names["asyncio"].sleep(0.01)
            await house.store.append(words.conversation(finals=1))
            said = ""
            while told not in said:
                await names["asyncio"].sleep(0.01)
                said += capsys.readouterr().out
            reading.cancel()
            return
    assert told in capsys.readouterr().out
