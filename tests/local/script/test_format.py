"""The script format: what is read, what is refused, and in which words."""

import json

import pytest

from bridge.errors import ConfigError
from bridge.local.script import Script, ScriptWord, load_script, random_script


def script_json(*channels: list[dict[str, object]]) -> str:
    return json.dumps({"channels": channels})


def test_a_script_is_read():
    script = Script.from_json(script_json([{"word": "hello", "text": "Hello.", "start": 0.5, "end": 0.9}], []), "here")
    assert script.channels == ((ScriptWord(word="hello", text="Hello.", start=0.5, end=0.9),), ())
    assert script.duration == 0.9


def test_what_else_a_word_may_tell():
    word = {"word": "hola", "start": 0, "end": 1, "voice": 1, "language": "es", "instead": "Ola"}
    script = Script.from_json(script_json([word]))
    (told,) = script.words
    assert (told.voice, told.language, told.instead) == (1, "es", "Ola")
    assert Script.from_json(script.to_json()) == script
    with pytest.raises(ConfigError, match="voice"):
        Script.from_json(script_json([{**word, "voice": -1}]))


def test_text_defaults_to_the_word_and_other_keys_are_ignored():
    script = Script.from_json(script_json([{"word": "hello", "start": 0, "end": 1, "speaker": "A"}]))
    assert script.words[0].text == "hello"


def test_words_count_through_the_channels():
    one, two, three = (
        {"word": name, "start": start, "end": start + 0.1} for start, name in enumerate(("one", "two", "three"))
    )
    script = Script.from_json(script_json([one, three], [two]))
    assert [word.word for word in script.words] == ["one", "three", "two"]


def test_milliseconds_are_rounded_not_cut():
    word = ScriptWord(word="a", start=0.29, end=0.57)  # 0.29 * 1000 is 289.99999999999994
    assert (word.start_ms, word.end_ms, word.length_ms) == (290, 570, 280)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "EOF while parsing"),
        ("[]", "object"),
        ("{}", "channels: Field required"),
        ('{"channels": []}', "channels: Tuple should have at least 1 item"),
        (script_json([{"word": "a", "start": 0}]), "channels[0][0].end: Field required"),
        (script_json([], [{"word": "", "start": 0, "end": 1}]), "channels[1][0].word: String should have"),
        (
            script_json([{"word": "a", "start": -1, "end": 1}]),
            "channels[0][0].start: Input should be greater",
        ),
        (script_json([{"word": "a", "start": 1, "end": 1}]), "channels[0][0] ('a') ends before it has begun"),
        (
            script_json([{"word": "a", "start": 0, "end": 1}, {"word": "b", "start": 0.9, "end": 2}]),
            "channels[0][1] ('b') starts at 0.9 s, before 'a' ends at 1.0 s",
        ),
        (
            script_json([{"word": 1, "start": "x", "end": 1}]),
            "channels[0][0].word: Input should be a valid string (and ",
        ),
        ('{"channels": [[{"word": "a", "start": 0, "end": NaN}]]}', "finite"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, complaint):
    with pytest.raises(ConfigError) as error:
        Script.from_json(text, "call.json")
    assert str(error.value).startswith("call.json: ")
    assert complaint in str(error.value)


def test_a_file_is_read_and_written(tmp_path):
    script = random_script(1, 20)
    path = tmp_path / "script.json"
    path.write_text(script.to_json())
    assert load_script(path) == script


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.json: cannot be read: No such file"):
        load_script(tmp_path / "nowhere.json")
