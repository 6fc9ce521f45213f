"""TwiML is read back with a parser that is not ours, and compared with what Twilio's builder would have said."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.twiml.voice_response import Dial, Parameter, Start, Stream, VoiceResponse

from twiml.document import (
    NOT_XML,
    Answer,
    DialTarget,
    check_parameter,
    check_stream_url,
    parse_target,
    stream_url,
    twiml_bin,
    webhook_url,
)
from twiml.errors import TwimlError

STREAM = "wss://bridge.example.com/media/twilio"
HOLD = Answer(stream_url=STREAM)
NASTY = "Tom & \"Jerry\" 'n' <Co> 📞 привет"


def parsed(answer: Answer) -> ET.Element:
    return ET.fromstring(answer.to_xml())


def shape(element: ET.Element) -> tuple[str, dict[str, str], str, list[object]]:
    """An element without the order of its attributes."""
    return element.tag, dict(element.attrib), element.text or "", [shape(child) for child in element]


def verbs(answer: Answer) -> list[str]:
    return [verb.tag for verb in parsed(answer)]


def test_it_forks_both_tracks_and_holds_the_line() -> None:
    root = parsed(replace(HOLD, pause=90))
    assert shape(root) == (
        "Response",
        {},
        "",
        [
            ("Start", {}, "", [("Stream", {"url": STREAM, "track": "both_tracks"}, "", [])]),
            ("Pause", {"length": "90"}, "", []),
        ],
    )
    assert replace(HOLD).to_xml().startswith('<?xml version="1.0" encoding="UTF-8"?>')


def test_everything_at_once_is_what_twilios_builder_says() -> None:
    answer = Answer(
        stream_url=STREAM,
        status_callback="https://bridge.example.com/twiml/stream-status",
        parameters={"from": "+15550001", "speaker.inbound": NASTY},
        say=NASTY,
        dial=DialTarget("number", "+15551234567"),
        caller_id="+15550100",
    )
    stream = Stream(
        url=answer.stream_url,
        track="both_tracks",
        status_callback=answer.status_callback,
    )
    stream.append(Parameter(name="from", value="+15550001"))
    stream.append(Parameter(name="speaker.inbound", value=NASTY))
    start = Start()
    start.append(stream)
    dial = Dial(caller_id="+15550100")
    dial.number("+15551234567")
    expected = VoiceResponse()
    expected.append(start)
    expected.say(NASTY)
    expected.append(dial)

    assert shape(parsed(answer)) == shape(ET.fromstring(str(expected)))


def test_the_attributes_have_twilios_spelling() -> None:
    answer = replace(HOLD, status_callback="https://x.example/s", dial=DialTarget("client", "bob"), caller_id="+1555")
    xml = answer.to_xml()
    assert 'statusCallback="https://x.example/s"' in xml
    assert 'callerId="+1555"' in xml


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("+15551234567", ("Number", "+15551234567")),
        ("sip:desk@pbx.example.com?x-a=1&x-b=2", ("Sip", "sip:desk@pbx.example.com?x-a=1&x-b=2")),
        ("client:joey", ("Client", "joey")),
    ],
)
def test_a_dial_target_becomes_its_noun(text: str, inner: tuple[str, str]) -> None:
    answer = replace(HOLD, dial=parse_target(text))
    assert verbs(answer) == ["Start", "Dial"]
    assert shape(parsed(answer)[1]) == ("Dial", {}, "", [(inner[0], {}, inner[1], [])])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5551234567",
        "+0123",
        "+1 555",
        "tel:+1555",
        "sip:",
        "sip:host",
        "client:",
        "client:a b",
        "+1555\n",
    ],
)
def test_any_other_dial_target_is_refused(text: str) -> None:
    with pytest.raises(TwimlError, match="dial target"):
        parse_target(text)


def test_the_notice_comes_before_the_line_is_connected_or_held() -> None:
    assert verbs(replace(HOLD, say="Recorded.")) == ["Start", "Say", "Pause"]
    assert verbs(replace(HOLD, say="Recorded.", dial=DialTarget("number", "+1555"))) == ["Start", "Say", "Dial"]


def test_something_always_follows_the_fork_or_twilio_hangs_up() -> None:
    for answer in (HOLD, replace(HOLD, say="Hello"), replace(HOLD, dial=DialTarget("number", "+1555"))):
        assert verbs(answer)[-1] in ("Dial", "Pause")


def test_markup_quotes_and_emoji_survive() -> None:
    root = parsed(replace(HOLD, parameters={NASTY: NASTY}, say=NASTY))
    parameter = root.find("Start/Stream/Parameter")
    assert parameter is not None
    assert (parameter.get("name"), parameter.get("value")) == (NASTY, NASTY)
    assert root.findtext("Say") == NASTY


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=30).filter(lambda text: not NOT_XML.search(text)),
        st.text(max_size=60).filter(lambda text: not NOT_XML.search(text)),
        max_size=5,
    )
)
def test_any_parameters_survive(parameters: dict[str, str]) -> None:
    found = parsed(replace(HOLD, parameters=parameters)).iterfind("Start/Stream/Parameter")
    assert {element.attrib["name"]: element.attrib["value"] for element in found} == parameters


def test_a_parameter_has_fewer_than_500_characters_of_name_and_value() -> None:
    check_parameter("name", "v" * 495)
    with pytest.raises(TwimlError, match="500 characters of name and value") as caught:
        check_parameter("name", "v" * 496)
    assert "vvv" not in str(caught.value)
    with pytest.raises(TwimlError):
        replace(HOLD, parameters={"name": "v" * 496})


@pytest.mark.parametrize("character", ["\0", "\x0b", "\ud800", "\uffff"])
def test_what_xml_cannot_carry_is_refused(character: str) -> None:
    text = f"a{character}b"
    wrong: list[dict[str, Any]] = [
        {"parameters": {"a": text}},
        {"say": text},
        {"caller_id": text},
        {"dial": DialTarget("sip", text)},
    ]
    for fields in wrong:
        with pytest.raises(TwimlError, match="XML"):
            Answer(stream_url=STREAM, **fields)


def test_a_parameter_without_a_name_and_a_pause_without_length_are_refused() -> None:
    with pytest.raises(TwimlError, match="name"):
        replace(HOLD, parameters={"": "value"})
    with pytest.raises(TwimlError, match="at least one"):
        replace(HOLD, pause=0)


@pytest.mark.parametrize(
    "url",
    [
        "https://bridge.example.com/media/twilio",
        "ws://bridge.example.com/media/twilio",
        "wss://bridge.example.com",
        "wss://bridge.example.com/",
        "wss://bridge.example.com/media?token=1",
        "wss://bridge.example.com/media#part",
        "/media/twilio",
    ],
)
def test_a_stream_url_twilio_would_not_dial_is_refused(url: str) -> None:
    with pytest.raises(TwimlError):
        check_stream_url(url)
    with pytest.raises(TwimlError):
        Answer(stream_url=url)


def test_urls_come_from_the_public_url() -> None:
    assert webhook_url("https://b.example/", "/twiml/voice") == "https://b.example/twiml/voice"
    assert stream_url("https://b.example", "/media/twilio") == "wss://b.example/media/twilio"
    assert stream_url("https://b.example:8443/base/", "/media/x") == "wss://b.example:8443/base/media/x"
    assert stream_url("HTTPS://b.example", "/media/x") == "wss://b.example/media/x"
    assert stream_url("https://[2001:db8::1]", "/media/x") == "wss://[2001:db8::1]/media/x"
    assert stream_url("http://127.0.0.1:8080", "/media/x") == "ws://127.0.0.1:8080/media/x"


@pytest.mark.parametrize(
    "public_url",
    [
        "",
        "b.example",
        "wss://b.example",
        "http://b.example",
        "https://",
        "https://b.example?x=1",
        "https://b.example#x",
        "https://me:secret@b.example",
        "https://under_score.example",
        "https://b.example:99999",
        "https://[::1",
        " https://b.example",
    ],
)
def test_a_public_url_that_cannot_work_is_refused_without_repeating_it(public_url: str) -> None:
    with pytest.raises(TwimlError) as caught:
        webhook_url(public_url, "/twiml/voice")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("path", ["", "/", "media", "/media?x=1", "/media#x", "/me dia"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(TwimlError, match="path"):
        stream_url("https://b.example", path)


def test_a_bin_lets_twilio_fill_in_who_calls_whom_and_holds_no_token() -> None:
    answer = replace(HOLD, parameters={"deepgram.language": "de", "bridge.token": "CA1.1.x", "token": "mine"})
    root = ET.fromstring(twiml_bin(answer))
    assert {element.attrib["name"]: element.attrib["value"] for element in root.iterfind("Start/Stream/Parameter")} == {
        "bridge.from": "{{From}}",
        "bridge.to": "{{To}}",
        "bridge.direction": "{{Direction}}",
        "deepgram.language": "de",
        "token": "mine",
    }
    assert [verb.tag for verb in root] == ["Start", "Pause"]


def test_an_answer_does_not_show_its_parameters() -> None:
    assert "tell-nobody" not in repr(replace(HOLD, parameters={"bridge.token": "tell-nobody"}))
