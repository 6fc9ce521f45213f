"""What a reader's hands do with a call: click on a word, take the files away; and the words that are in the files, read
with parsers of their own.
"""

import json
import re

import srt
import webvtt

from bridge.local.wav import parse_wav

BUTTONS = {"txt": "Text", "srt": "SRT", "vtt": "WebVTT", "json": "JSON", "wav": "Audio"}


async def click_word(page, word):
    """Click in the middle of the first such word, as a hand does."""
    box = await page.evaluate(
        """word => {
            for (const said of document.querySelectorAll(".said")) {
                const at = said.textContent.indexOf(word);
                if (at < 0) continue;
                const range = document.createRange();
                range.setStart(said.firstChild, at);
                range.setEnd(said.firstChild, at + word.length);
                said.scrollIntoView({ block: "center" });
                return range.getBoundingClientRect().toJSON();
            }
        }""",
        word,
    )
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


async def scrolled(page):
    """The ids of what is scrolled, of everything that there is; the document is `html`."""
    return await page.evaluate(
        "[...document.querySelectorAll('*')].filter((one) => one.scrollTop || one.scrollLeft)"
        ".map((one) => one.id || one.localName)"
    )


async def overlapping(page, one, others):
    """The texts of those elements that touch another."""
    return await page.evaluate(
        """([one, others]) => {
            const box = document.querySelector(one).getBoundingClientRect();
            return [...document.querySelectorAll(others)].filter((other) => {
                const { left, right, top, bottom } = other.getBoundingClientRect();
                return left < box.right + 3 && right > box.left - 3 && top < box.bottom + 3 && bottom > box.top - 3;
            }).map((other) => other.outerHTML);
        }""",
        [one, others],
    )


async def downloads(page, call_id):
    """Every file there is a button for, by its ending."""
    files = {}
    for ending, name in BUTTONS.items():
        async with page.expect_download() as download:
            await page.get_by_role("link", name=name, exact=True).click()
        file = await download.value
        assert file.suggested_filename == f"{call_id}.{ending}"
        files[ending] = (await file.path()).read_bytes()
    return files


def words(files):
    """What each of them says, as words in the order of the alphabet: each file has its own idea of a line."""
    document = json.loads(files["json"])
    labels = "|".join(document["call"]["speakers"].values())
    texts = {
        "txt": re.findall(rf"^\[[\d:.]+\] (?:{labels})[^:]*: (.*)$", files["txt"].decode(), re.M),
        "srt": [re.sub(rf"^(?:{labels}): ", "", cue.content) for cue in srt.parse(files["srt"].decode())],
        "vtt": [cue.text for cue in webvtt.from_string(files["vtt"].decode())],
        "json": [turn["text"] for turn in document["turns"]],
    }
    return {ending: sorted(" ".join(lines).split()) for ending, lines in texts.items()}


def channels(files):
    """The recording's two channels, in mu-law."""
    return tuple(parse_wav(files["wav"]))
