import json
import re
from datetime import timedelta
from html import unescape

import pysubs2
import pytest
import srt
import webvtt
from hypothesis import given

from bridge.events import AudioGap, TranscriptFinal
from bridge.local.sample import SCRIPT
from bridge.local.script import load_script
from bridge.outbox import call_header
from bridge.transcript import render
from bridge.transcript.captions import cues
from bridge.transcript.figures import figures
from bridge.transcript.gaps import Completeness
from tests.fakes.speech import SPEAKERS, channels, heard, segment, sentence, voiced
from tests.fakes.words import started

CALL = json.loads(call_header(started()))
AGENT = sentence("outbound", 1.0, "And so on and on")
CALLER = sentence("inbound", 1.3, "Stop it now please")
LOOK_ALIKES = str.maketrans("<>{}\\", "‹›()/")
GAP = AudioGap(track="inbound", from_=3.0, to=5.0, missing=1.5, why="lost by the carrier")


def text_of(*finals, gaps=()):
    """Without the head."""
    return render.text(CALL, finals, gaps).split("\n\n", 1)[1]


def test_a_text_begins_with_the_call():
    head = "Call CA1 from +15550001 to +15550002, inbound, 2027-01-15T08:00:00.000Z"

    assert render.text(CALL, []) == f"{head}\n\n"
    assert render.text({}, []) == "Call\n\n"


def test_a_text_has_a_line_a_turn_and_says_who_talks_over_whom():
    assert text_of(CALLER, AGENT) == (
        "[00:01.0] agent: And so on and on\n[00:01.3] caller (over agent): Stop it now please\n"
    )


def test_a_text_says_what_was_not_heard():
    assert text_of(AGENT, sentence("outbound", 4.0, "Hello?"), gaps=[GAP]) == (
        "[00:01.0] agent: And so on and on Hello?\n[00:03.0] (1.5 s of caller missing: lost by the carrier)\n"
    )


def test_a_text_has_no_blanks_that_nobody_said():
    finals = [
        segment("inbound", ("我", 1.0, 1.2), ("想", 1.2, 1.4), text="我想"),
        segment("inbound", ("iPhone", 1.5, 1.9), ("12", 1.9, 2.1), text="iPhone 12"),
        segment("inbound", ("吗？", 2.2, 2.4)),
    ]

    assert text_of(*finals) == "[00:01.0] caller: 我想iPhone 12吗？\n"


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85", "\v", "\f", "\x1c"])
def test_no_character_ends_a_line(end):
    final = segment("inbound", (f"one{end}two", 1.0, 1.5), speaker=f"a{end}b")

    assert text_of(final).splitlines() == ["[00:01.0] a b: one two"]
    assert render.srt([final]).splitlines() == ["1", "00:00:01,000 --> 00:00:01,800", "a b: one two", ""]
    assert render.vtt([final]).splitlines()[3] == "<v a b>one two"


def test_a_text_counts_hours():
    assert text_of(sentence("inbound", 3725.04, "Hi")) == "[1:02:05.0] caller: Hi\n"


def test_a_text_has_a_line_a_turn_whatever_is_in_it():
    strange = segment("inbound", ("a\nb\x1b[31m", 1.0, 2.0), speaker="x\r\n[00:00.0] agent")

    assert text_of(strange) == "[00:01.0] x [00:00.0] agent: a b[31m\n"


def test_a_document_holds_the_call_its_turns_its_segments_and_its_figures():
    counted = figures([AGENT, CALLER], 10.0, SPEAKERS)

    found = json.loads(json.dumps(render.document(CALL, [CALLER, AGENT], [GAP], counted)))

    assert found["call"] == CALL
    assert found["turns"][1] == {
        "speaker": "caller",
        "track": "inbound",
        "voice": None,
        "start": 1.3,
        "end": 2.5,
        "text": "Stop it now please",
        "over": ["agent"],
        "segment_ids": [CALLER.segment_id],
    }
    one, other = found["segments"]
    assert [one["text"], other["text"]] == ["And so on and on", "Stop it now please"]
    assert one["overlaps"] == [{"segment_id": CALLER.segment_id, "start": 1.3, "end": 2.5}]
    assert TranscriptFinal(**other).words == CALLER.words
    assert found["gaps"] == [{"track": "inbound", "from": 3.0, "to": 5.0, "missing": 1.5, "why": "lost by the carrier"}]
    assert found["figures"]["talk_time"] == {"caller": 1.2, "agent": 1.5}


def test_a_document_of_a_silent_call():
    assert render.document(CALL, []) == {
        "call": CALL,
        "turns": [],
        "segments": [],
        "gaps": [],
        "figures": None,
        "completeness": None,
        "latency": None,
    }


def test_the_latency_is_as_the_end_has_it():
    told = {"p50": 0.3, "p99": 0.6, "max": 0.9, "measured": 12}

    assert render.document(CALL, [], latency=told)["latency"] == told


def test_what_is_still_to_be_transcribed_is_said():
    waits, done = Completeness(missing=4.0, waiting=2.5, backfilled=0.0), Completeness(0.0, 0.0, 4.0)

    assert render.text(CALL, [], [], waits).endswith("\n(2.5 s are still to be transcribed)\n")
    assert render.text(CALL, [], [], done) == render.text(CALL, [])
    assert render.document(CALL, [], completeness=waits)["completeness"] == {
        "missing": 4.0,
        "waiting": 2.5,
        "backfilled": 0.0,
    }


def test_subrip_names_the_speaker_where_it_changes():
    assert render.srt([AGENT, CALLER]) == (
        "1\n00:00:01,000 --> 00:00:02,500\nagent: And so on and on\n\n"
        "2\n00:00:01,300 --> 00:00:02,500\ncaller: Stop it now please\n\n"
    )


def test_webvtt_names_the_voice():
    assert render.vtt([AGENT, CALLER]) == (
        "WEBVTT\n\n"
        "00:00:01.000 --> 00:00:02.500\n<v agent>And so on and on\n\n"
        "00:00:01.300 --> 00:00:02.500\n<v caller>Stop it now please\n"
    )


def test_a_silent_call_has_captions_too():
    assert render.srt([]) == ""
    assert render.vtt([]) == "WEBVTT\n"
    assert list(webvtt.from_string(render.vtt([]))) == []


def test_webvtt_escapes_what_is_markup():
    spoken = segment("inbound", ("<b>", 1.0, 1.2), ("AT&T", 1.2, 1.4), ("-->", 1.4, 1.6), speaker="R&D <v> -->")

    assert render.vtt([spoken]).splitlines()[3] == "<v R&amp;D &lt;v&gt; --&gt;>&lt;b&gt; AT&amp;T --&gt;"


def test_subrip_has_no_escapes_and_gets_no_markup():
    spoken = segment("inbound", (r"{\an8}", 1.0, 1.2), ("<b>", 1.2, 1.4), ("-->", 1.4, 1.6), (r"\N", 1.6, 1.8))

    assert render.srt([spoken]).splitlines()[2] == "caller: (/an8) ‹b› --› /N"


@pytest.mark.parametrize("hours", [9, 99, 100, 1234])
def test_long_calls_keep_their_hours(hours):
    spoken = sentence("inbound", hours * 3600 + 1.0, "Still here")

    (cue,) = webvtt.from_string(render.vtt([spoken]))
    (subtitle,) = srt.parse(render.srt([spoken]))

    assert cue.start == f"{hours:02d}:00:01.000"
    assert subtitle.start == timedelta(hours=hours, seconds=1)


def assert_players_read(finals):
    """Two readers of each format find the cues, their times, their speakers and their lines."""
    voices, labelled = cues(finals), cues(finals, named=True)
    vtt, subrip = render.vtt(finals), render.srt(finals)

    read = list(webvtt.from_string(vtt))
    assert [(cue.start_in_seconds * 1000 + cue.start_time.milliseconds) for cue in read] == [
        cue.start for cue in voices
    ]
    assert [(unescape(cue.voice), unescape(cue.text)) for cue in read] == [
        (cue.speaker, "\n".join(cue.lines)) for cue in voices
    ]
    assert [(event.start, event.end) for event in pysubs2.SSAFile.from_string(vtt, "vtt")] == [
        (cue.start, cue.end) for cue in voices
    ]

    subtitles = list(srt.parse(subrip))
    shown = [(cue.start, cue.end, "\n".join(cue.lines).translate(LOOK_ALIKES)) for cue in labelled]
    millisecond = timedelta(milliseconds=1)
    assert [(one.start // millisecond, one.end // millisecond, one.content) for one in subtitles] == shown
    assert [one.index for one in subtitles] == list(range(1, len(shown) + 1))
    events = pysubs2.SSAFile.from_string(subrip, "srt") if subrip else []
    assert [(event.start, event.end, event.plaintext) for event in events] == shown


def test_players_read_the_sample_call():
    assert_players_read([said for said in heard(load_script(SCRIPT)) if isinstance(said, TranscriptFinal)])


@given(channels())
def test_players_read_whatever_was_said(finals):
    assert_players_read(finals)


@given(channels())
def test_a_text_has_a_line_for_every_turn(finals):
    lines = text_of(*finals).splitlines()

    assert len(lines) == len(render.document(CALL, finals)["turns"])


def test_a_gap_stands_at_its_time():
    gap = GAP.model_copy(update={"from_": 0.5})

    assert text_of(AGENT, gaps=[gap]).splitlines()[0].startswith("[00:00.5] (1.5 s of caller")


def test_webvtt_leaves_quotation_marks():
    assert '"No" isn\'t' in render.vtt([sentence("inbound", 1.0, '"No" isn\'t')])


def test_several_on_one_track_are_told_apart_everywhere():
    said = [voiced(sentence("inbound", 1.0, "This is Anna. And Bert."), 0, 0, 0, 1, 1)]

    assert render.text(CALL, said).splitlines()[2:] == [
        "[00:01.0] caller 1: This is Anna.",
        "[00:01.9] caller 2: And Bert.",
    ]
    assert re.findall(r"<v (.*?)>", render.vtt(said)) == ["caller 1", "caller 2"]
    assert re.findall(r"caller .", render.srt(said)) == ["caller 1", "caller 2"]
    assert [(turn["speaker"], turn["voice"]) for turn in render.document(CALL, said)["turns"]] == [
        ("caller 1", 0),
        ("caller 2", 1),
    ]
