"""The names of roles, and whose a path is."""

import pytest

from bridge.errors import ConfigError
from bridge.roles import ALL, of_path, parse


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("media,web,worker", ALL),
        ("worker", {"worker"}),
        (" Web , media,", {"web", "media"}),
    ],
)
def test_roles_are_a_list(text, roles):
    assert parse(text) == roles


@pytest.mark.parametrize("text", ["", ",", "medium", "web worker", "web,all"])
def test_what_is_no_role_is_refused_with_those_that_there_are(text):
    with pytest.raises(ConfigError, match="must be any of media, web, worker, with commas between them"):
        parse(text)


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("/media/twilio", "media"),
        ("/media/telnyx/{secret}", "media"),
        ("/twiml/voice", "media"),
        ("/twiml/stream-status/", "media"),
        ("/", "web"),
        ("/calls/{id}/events", "web"),
        ("/mediators", "web"),
        ("/openapi.json", "web"),
    ],
)
def test_what_carriers_ask_is_media_and_the_rest_is_web(path, role):
    assert of_path(path) == role
