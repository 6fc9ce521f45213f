"""The demo, as a newcomer sees it."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

from bridge.local import sample
from bridge.local.script import load_script
from bridge.local.wav import parse_wav
from tests.fakes.wer import word_error_rate

ROOT = Path(__file__).parent.parent.parent


async def test_the_demo_shows_the_call_and_leaves_its_files(tmp_path):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bridge",
        "demo",
        "--fast",
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BRIDGE_DIAL": "+15550199", "COLUMNS": "120"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    shown = output.decode()
    (folder,) = (tmp_path / "data").iterdir()
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]

    assert process.returncode == 0, shown
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
