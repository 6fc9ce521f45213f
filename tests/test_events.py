import json
import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from bridge import events
from bridge.events import EVENT_TYPES, AudioGap, Cause, DtmfReceived, EndReason, Event, SpeechStarted, timestamp

EVENTS = Path(events.__file__).parent
WORDS_OF_THE_PAGE = EVENTS.parent / "web" / "page" / "format.js"


def test_a_timestamp_has_milliseconds_and_a_z():
    assert timestamp(0.0) == "1970-01-01T00:00:00.000Z"
    assert timestamp(1_763_632_812.3456) == "2025-11-20T10:00:12.346Z"


def test_an_event_is_json_with_its_seq_first():
    event = Event("CA1", 3, "CA1-3", timestamp(0), DtmfReceived(track="inbound", digit="5", at=1.5))

    assert json.loads(event.to_json()) == {
        "seq": 3,
        "id": "CA1-3",
        "type": "dtmf.received",
        "time": "1970-01-01T00:00:00.000Z",
        "data": {"track": "inbound", "digit": "5", "at": 1.5},
    }


def test_an_event_that_is_not_durable_has_no_seq():
    said = SpeechStarted(track="inbound", channel=0, speaker="caller", at=1.5, at_time=timestamp(1.5))
    event = Event("CA1", None, "x", timestamp(0), said)

    assert "seq" not in json.loads(event.to_json())


def test_from_is_a_word_of_python_but_not_of_json():
    gap = AudioGap(track="inbound", from_=1.0, to=2.0, missing=1.0, why="lost")

    assert json.loads(Event("CA1", 1, "CA1-1", "t", gap).to_json())["data"]["from"] == 1.0


def test_every_event_type_is_named_once():
    assert all(data.type == name for name, data in EVENT_TYPES.items())
    assert [name for name, data in EVENT_TYPES.items() if not data.durable] == [
        *("transcript.interim", "speech.started", "turn.eager_end", "turn.resumed", "webhook.test")
    ]


@pytest.mark.parametrize("names", ["Direction", "EndReason", "ResumeReason", "Cause"])
def test_what_a_name_means_stands_below_the_names(names):
    told = re.search(rf'^{names} = .+?"""(.+?)"""', (EVENTS / "parts.py").read_text(), re.DOTALL | re.MULTILINE)[1]

    assert re.findall(r"`(\w+)`:", told) == list(get_args(getattr(events, names)))


@pytest.mark.parametrize(("table", "names"), [("ENDS", EndReason), ("GAPS", Cause)])
def test_the_page_has_words_for_every_reason(table, names):
    words = re.search(rf"const {table} = {{(.+?)}};", WORDS_OF_THE_PAGE.read_text(), re.DOTALL)[1]

    assert set(re.findall(r"^  (\w+):", words, re.MULTILINE)) >= set(get_args(names))


def test_a_gap_of_another_version_can_be_read():
    gap = AudioGap.model_validate({"track": "inbound", "from": 1.0, "to": 2.0, "missing": 1.0, "why": "eaten"})

    assert gap.model_dump(mode="json")["why"] == "eaten"


def test_a_key_is_pressed_on_a_track_there_is():
    with pytest.raises(ValidationError):
        DtmfReceived(track="sideways", digit="5", at=1.5)
