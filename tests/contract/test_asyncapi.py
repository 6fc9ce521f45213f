"""Webhook, feeds and media sockets in a document."""

from bridge.contract.asyncapi import asyncapi
from bridge.contract.operation import whole
from bridge.contract.schemas import references
from bridge.events import EVENT_TYPES

DOCUMENT = asyncapi("1.2.3", [whole("after", "After which.")])


def test_the_channels():
    assert DOCUMENT["channels"].keys() == {"webhook", "call", "calls", "twilio", "telnyx", "jambonz"}
    assert (DOCUMENT["asyncapi"], DOCUMENT["info"]["version"]) == ("3.0.0", "1.2.3")


def test_all_that_is_referred_to_is_there():
    for reference in references(DOCUMENT):
        place = DOCUMENT
        for name in reference.removeprefix("#/").split("/"):
            place = place.get(name) or DOCUMENT["components"]["schemas"][name]


def test_every_type_of_event_is_a_message_of_a_call():
    names = {DOCUMENT["components"]["messages"][name]["name"] for name in DOCUMENT["channels"]["call"]["messages"]}

    assert EVENT_TYPES.keys() <= names
    assert {"end", "reset"} <= names


def test_who_sends():
    actions = {name: operation["action"] for name, operation in DOCUMENT["operations"].items()}

    assert {name for name, action in actions.items() if action == "receive"} == {"twilio", "telnyx", "jambonz"}


def test_what_a_feed_takes():
    bound = DOCUMENT["channels"]["calls"]["bindings"]["ws"]["query"]["properties"]

    assert bound["after"]["description"] == "After which."
