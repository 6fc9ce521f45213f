"""What is shown of a stream: each way of it."""

import io
import json

import pytest
from rich.console import Console

from bridge.cli.streamed import printer
from bridge.events import TranscriptionInterrupted
from tests.fakes import words


def shown(*events, form="text", seconds=None, terminal=False, **how):
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=terminal, highlight=False, legacy_windows=False)
    one = printer(console, form, **{"timestamps": False, "json_lines": False, **how})
    with one.showing(seconds, lambda: 30.0):
        for event in events:
            one.receive(event)
    return out.getvalue()


HELLO = words.final(start=1.25, end=2.0, text="Hello?")
MORNING = words.final(seq=3, start=62.0, end=63.0, text="Good morning.", track="outbound")


def test_a_conversation():
    assert shown(HELLO, MORNING).splitlines() == ["00:01.2  caller   Hello?", "01:02.0  agent    Good morning."]


def test_a_line_a_final_with_its_seconds():
    assert shown(HELLO, words.interim(), MORNING, timestamps=True).splitlines() == [
        "caller: Hello? [1.25 - 2.00]",
        "agent: Good morning. [62.00 - 63.00]",
    ]


def test_every_event_as_json():
    events = [HELLO, words.interim(text="[red]Good[/red]"), MORNING]
    assert [json.loads(line) for line in shown(*events, json_lines=True).splitlines()] == [
        json.loads(event.to_json()) for event in events
    ]


@pytest.mark.parametrize(("form", "begins"), [("srt", "1\n00:00:01,250"), ("vtt", "WEBVTT\n\n00:00:01.250")])
def test_captions_in_the_order_in_which_it_was_said(form, begins):
    text = shown(MORNING, HELLO, form=form)
    assert text.startswith(begins)
    assert text.index("Hello?") < text.index("Good morning.")


def test_captions_say_on_the_other_side_that_deepgram_is_away(capsys):
    away = TranscriptionInterrupted(reason="it is down", attempt=1, waiting=1.0, retry=True)

    assert "it is down" not in shown(words.event("CA1", 4, away), form="vtt")
    assert capsys.readouterr().err == "transcription interrupted: it is down\n"


def test_a_terminal_shows_how_much_of_a_file_is_left():
    assert "00:30.0 of 01:00.0, 00:30.0 left" in shown(words.interim(), seconds=60.0, terminal=True)
