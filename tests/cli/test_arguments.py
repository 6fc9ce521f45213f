"""What several commands take."""

from math import inf, nan

import pytest
import typer

from bridge.cli import arguments
from bridge.cli.arguments import call_id


@pytest.mark.parametrize("call", ["CA0123456789abcdef", "a-b_c", None])
def test_a_calls_id_is_taken_as_it_is(call):
    assert call_id(call) == call


@pytest.mark.parametrize("call", ["", "..", "../x", "a/b", "a b", "a\n", "ä"])
def test_what_could_be_no_calls_id_is_refused(call):
    with pytest.raises(typer.BadParameter, match="letters, digits"):
        call_id(call)


@pytest.mark.parametrize(
    ("check", "given"),
    [
        (arguments.seconds, nan),
        (arguments.seconds, inf),
        (arguments.socket_url, "calls.example.com/media"),
        (arguments.socket_url, "https://calls.example.com/hunter2"),
        (arguments.socket_url, "wss://ann:hunter2@calls.example.com"),
        (arguments.web_url, "wss://calls.example.com/hunter2"),
        (arguments.web_url, "http://"),
        (arguments.secrets, "hunter2\u00a0x"),
        (arguments.secrets, "\u201chunter2\u201d"),
    ],
)
def test_what_cannot_be_meant_is_refused_without_its_value(check, given):
    with pytest.raises(typer.BadParameter) as caught:
        check(given)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("check", [arguments.seconds, arguments.socket_url, arguments.secrets, arguments.folder])
def test_what_is_not_given_is_left_out(check):
    assert check(None) is None


def test_what_is_given_passes(tmp_path):
    assert arguments.seconds(1.5) == 1.5
    assert arguments.socket_url("ws://127.0.0.1:8080/media/twilio") == "ws://127.0.0.1:8080/media/twilio"
    assert arguments.web_url("http://127.0.0.1:8080") == "http://127.0.0.1:8080"
    assert arguments.secrets(" new\nold ") == "new old"
    assert arguments.secrets(" ") is None
    assert arguments.folder(tmp_path / "a" / "b").is_dir()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(typer.BadParameter, match="cannot be kept"):
        arguments.folder(tmp_path / "file")
