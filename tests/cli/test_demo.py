"""The demo, as a newcomer sees it."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

from bridge.local import sample
from bridge.local.recognizer import ABOUT
from bridge.local.script import load_script
from bridge.local.wav import parse_wav
from tests.fakes.wer import word_error_rate

ROOT = Path(__file__).parent.parent.parent


def look_at_the_words_around_it(shown, folder):
    """At sixty columns: what can be copied is whole all the same."""
    lines = [line.strip() for line in shown.splitlines()]
    page = re.compile(r"page +http://127\.0\.0\.1:\d+/#token=[\w-]{43}|http://127\.0\.0\.1:\d+/#token=[\w-]{43}")
    (link,) = [place for place, line in enumerate(lines) if page.fullmatch(line)]
    assert link < lines.index("the number rings; playing the sample call"), "the page can be opened before it rings"
    assert " ".join(ABOUT.split()) in " ".join(shown.split())
    for typed in ("serve --local", "demo --keep", "--help"):
        assert any(re.match(rf"\S*bridge {typed}(  |$)", line) for line in lines), typed
    assert any(line.startswith(f"data/{folder.name}/transcript.txt") for line in lines)
    told = " ".join(shown.split())
    assert told.count("Good morning") == 1, "the transcript is printed once"


async def test_the_demo_shows_the_call_and_leaves_its_files(tmp_path):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bridge",
        "demo",
        "--fast",
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BRIDGE_DIAL": "+15550199", "COLUMNS": "60"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    shown = output.decode()
    (folder,) = (tmp_path / "data").iterdir()
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]

    assert process.returncode == 0, shown
    look_at_the_words_around_it(shown, folder)
    assert re.search(r"caller +Hi", shown) and re.search(r"agent +Good morning", shown)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "call.ended"
    for channel, words in enumerate(load_script(sample.SCRIPT).channels):
        heard = [
            word["word"]
            for event in events
            if event["type"] == "transcript.final" and event["data"]["channel"] == channel
            for word in event["data"]["words"]
        ]
        assert word_error_rate([word.word for word in words], heard) <= 0.15
    assert {path.name for path in folder.iterdir()} >= {"bridge.db", "bridge.log", "events.jsonl", "transcript.txt"}
    assert len(parse_wav((folder / "call.wav").read_bytes())) == 2
