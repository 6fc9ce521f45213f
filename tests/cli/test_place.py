"""Where the bridge of a folder serves."""

from bridge.cli.place import FILENAME, Place, find, local_environment, written
from bridge.config import load

THERE = Place("http://127.0.0.1:4711", "https://calls.example.com")


def found(folder, **environment):
    return find(load({"DATA_DIR": str(folder), **environment}))


def test_a_bridge_is_found_while_it_serves(tmp_path):
    with written(tmp_path, THERE):
        assert found(tmp_path) == found(tmp_path, PORT="4711") == THERE
        assert found(tmp_path, PORT="9") == Place("http://127.0.0.1:9", "http://127.0.0.1:9"), "the person knows better"
    assert found(tmp_path) == Place("http://127.0.0.1:8080", "http://127.0.0.1:8080")
    assert [*tmp_path.iterdir()] == []


def test_at_any_free_port_there_is_one_or_none(tmp_path):
    assert found(tmp_path, PORT="0") is None
    with written(tmp_path, THERE):
        (tmp_path / FILENAME).write_text("[")
        assert found(tmp_path, PORT="0") is None


def test_the_note_of_the_next_one_stays(tmp_path):
    next_one = Place("http://127.0.0.1:4712", "http://127.0.0.1:4712")
    with written(tmp_path, THERE):
        (tmp_path / FILENAME).write_text(f'{{"url": "{next_one.url}", "public_url": "{next_one.public_url}"}}')
    assert found(tmp_path) == next_one


def test_a_folder_that_takes_nothing_costs_the_note_only(tmp_path):
    with written(tmp_path / "none", THERE):
        assert found(tmp_path) == Place("http://127.0.0.1:8080", "http://127.0.0.1:8080")


def test_a_bridge_that_hears_calls_itself_says_so(tmp_path):
    here = Place("http://127.0.0.1:4711", "http://127.0.0.1:4711", local=True)
    with written(tmp_path, here):
        assert found(tmp_path) == here


def test_what_local_needs_gives_way_to_what_is_set():
    assert local_environment({}) == {
        "DEEPGRAM_API_KEY": "local",
        "HOST": "127.0.0.1",
        "BRIDGE_START_CHECKS": "false",
        "TWILIO_SIGNATURE": "off",
    }
    given = {"HOST": "0.0.0.0", "TWILIO_AUTH_TOKEN": "token"}
    assert local_environment(given) == {**given, "DEEPGRAM_API_KEY": "local", "BRIDGE_START_CHECKS": "false"}
