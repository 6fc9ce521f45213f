"""A person who follows remedies to the letter: types the settings and commands that they name, and has done elsewhere
what they ask for. What no rule understands cannot be followed, and fails the test."""

import base64
import re
import subprocess
from functools import partial
from inspect import isawaitable
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import aiohttp

from tests.fakes import twilio_rest
from tests.fakes.command import command

_NAME = r"\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|PORT|HOST)\b"


class Person:
    """At the shell whose environment the set-up has."""

    def __init__(self, setup):
        self.setup = setup
        self.knows = {}
        """What is right: by the name of a setting its value, by the path of a file its text."""
        self.hands = {}
        """What can be done elsewhere: by the words that ask for it, a function."""
        self.done = []
        """What has been followed."""

    async def follow(self, finding, way=""):
        """Do what a finding says first, or from the words `way` on."""
        assert finding.remedy and way in finding.remedy, finding
        text = finding.remedy[finding.remedy.index(way) :]
        found = [(text.find(words), -len(words), words, hand) for words, hand in self.hands.items() if words in text]
        for rule, typed in _RULES.items():
            if match := re.search(rule, text):
                found.append((match.start(), -len(match[0]), match[0], partial(typed, self, match)))
        assert found, f"no one could follow: {text}"
        *_, words, act = min(found, key=lambda each: each[:2])
        self.done.append(words)
        if isawaitable(doing := act()):
            await doing

    async def assign(self, match):
        """`NAME=value`, with … for what the person has to look up."""
        name, value = match[1], match[2]
        if "…" in value:
            value = self.knows[name]
        elif "$(" in value:
            value = subprocess.check_output(["sh", "-c", f"printf %s {value}"], text=True)  # noqa: ASYNC221 - in no time
        if "give it to the receiver too" in match.string:
            await self.setup.receive_with(value)
        self.setup.environment[name] = value

    async def correct(self, match):
        """`correct NAME and NAME`, `set NAME to …`: as the person knows it to be right; by default nothing is."""
        for name in filter(None, match.groups()):
            self.setup.environment.pop(name, None)
            if name in self.knows:
                self.setup.environment[name] = self.knows[name]

    async def choose(self, match):
        """`write language=ja in DEEPGRAM_OPTIONS`."""
        options = dict(parse_qsl(self.setup.environment["DEEPGRAM_OPTIONS"]))
        self.setup.environment["DEEPGRAM_OPTIONS"] = urlencode({**options, match[1]: match[2]})

    async def unset(self, match):
        del self.setup.environment[match[1]]

    async def rename(self, match):
        wrong, right = match[1], match[2]
        given = self.setup.environment
        if wrong in given:
            given[right] = given.pop(wrong)
        else:
            (name,) = [name for name, value in given.items() if wrong in value]
            given[name] = given[name].replace(wrong, right)

    async def rewrite(self, match):
        """`write https:// in NAME, in the place of http://`, or without the last."""
        scheme, name = match[1], match[2]
        given = self.setup.environment
        given[name] = f"{scheme}{given[name].partition('://')[2]}"

    async def mend(self, match):
        """`mend line 2 of PATH`: that line, and no other; `mend PATH`, and a table of it: all of it."""
        line, path = match[1], Path(match[2])
        lines, right = path.read_text().splitlines(), self.knows[str(path)].splitlines()
        if line:
            lines[int(line) - 1] = right[int(line) - 1]
        path.write_text("\n".join(lines if line else right))

    async def point(self, match):
        told = await command(*match[0].split()[1:], **self.setup.environment)
        assert told.status == 0, told

    async def detach(self, match):
        field, path = match[1], match[2]
        url = f"{self.setup.twilio.url}/2010-04-01/Accounts/{twilio_rest.ACCOUNT}/{path}"
        pair = base64.b64encode(f"{twilio_rest.ACCOUNT}:{twilio_rest.AUTH_TOKEN}".encode()).decode()
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Basic {pair}"}) as session,
            session.post(url, data={field: ""}) as response,
        ):
            assert response.status == 200

    async def kill(self, match):
        process = self.knows["process"]
        assert int(match[1]) == process.pid
        process.kill()
        await process.wait()


_RULES = {
    rf"{_NAME}=((?:\$\([^)]*\)|[^\s,;:]|:(?=//|\d))+)": Person.assign,
    rf"(?:correct|set|copy it whole[^;]* set|in) {_NAME}(?!=)(?: and {_NAME})?": Person.correct,
    r"write (\w+)=(\S+) in DEEPGRAM_OPTIONS": Person.choose,
    rf"unset {_NAME}": Person.unset,
    r"rename (\S+) to (\S+)": Person.rename,
    rf"write (\w+://) in {_NAME}": Person.rewrite,
    r"mend (?:line (\d+) of |(?:endpoint|the token) \S+ of )?(/[^\s,]+)": Person.mend,
    r"bridge number (\+\d+)": Person.point,
    r"POST an empty (\w+) to (\S+\.json)": Person.detach,
    r"kill (\d+)": Person.kill,
}
