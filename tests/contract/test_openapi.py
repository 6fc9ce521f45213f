"""The document of operations."""

import pytest
from typing_extensions import TypedDict

from bridge.contract.openapi import openapi
from bridge.contract.operation import Answer, operation, whole
from bridge.contract.schemas import REF, reference


class Shoe(TypedDict):
    """A shoe."""

    size: int


def document(**more):
    given = {"tag": "record", "answers": {200: Shoe}, **more}
    return openapi([operation("POST /shoes", "makeShoe", "Make one.", **given)], "1.2.3")


def test_an_operation_in_the_document():
    made = document(body=Shoe, takes=[whole("n", "How many.")], refuses={409: "It is there."})
    post = made["paths"]["/shoes"]["post"]

    assert (made["openapi"], made["info"]["version"]) == ("3.1.1", "1.2.3")
    assert (post["operationId"], post["summary"]) == ("makeShoe", "Make one")
    assert post["requestBody"]["content"]["application/json"]["schema"] == {"$ref": REF + "Shoe"}
    assert post["parameters"][0]["name"] == "n"
    assert post["responses"].keys() == {"200", "400", "401", "403", "408", "409", "413", "503"}
    assert made["components"]["schemas"]["Shoe"]["properties"] == {"size": {"type": "integer"}}


def test_every_refusal_has_the_same_body():
    responses = document()["paths"]["/shoes"]["post"]["responses"]
    bodies = [
        answer["content"]["application/json"]["schema"] for status, answer in responses.items() if status != "200"
    ]

    assert bodies == [{"$ref": REF + "Refusal"}] * len(bodies)
    assert "WWW-Authenticate" in responses["401"]["headers"]


@pytest.mark.parametrize(
    ("guard", "security"),
    [
        ("open", []),
        ("setting", [{}, {"token": []}, {"session": []}]),
        ("reader", [{"token": []}, {"session": []}]),
        ("link", [{"token": []}, {"session": []}, {"link": []}]),
        ("twilio", [{"twilio": []}]),
    ],
)
def test_who_is_let_in(guard, security):
    assert document(guard=guard)["paths"]["/shoes"]["post"]["security"] == security


def test_a_type_that_there_is_not_is_an_error():
    with pytest.raises(ValueError, match="there is no schema of Boot"):
        document(answers={200: Answer("It.", {"application/json": reference("Boot")})})


def test_a_type_with_the_name_of_another_is_an_error():
    with pytest.raises(ValueError, match="two types of the contract are called Delivery"):
        document(answers={200: TypedDict("Delivery", {"x": int})})


def test_the_webhook_stands_in_it():
    post = document()["webhooks"]["events"]["post"]

    assert post["requestBody"]["content"]["application/json"]["schema"] == {"$ref": REF + "Delivery"}
    assert [parameter["name"] for parameter in post["parameters"]][0] == "webhook-id"
