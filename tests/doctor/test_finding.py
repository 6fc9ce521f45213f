"""What is said of a thing."""

import pytest

from bridge.doctor.finding import Finding, Mark, any_broken, broken, doubt, fine, of_sentence, skipped

ALL = [
    fine("a", "it works"),
    doubt("b", "it is late", "hurry"),
    skipped("c", "it is not there"),
    broken("d", "no", "x"),
]


def test_a_finding_as_a_program_gets_it():
    assert [finding.to_json()["status"] for finding in ALL] == ["ok", "warning", "skipped", "error"]
    assert ALL[1].to_json() == {"check": "b", "status": "warning", "message": "it is late", "remedy": "hurry"}
    assert ALL[0].to_json()["remedy"] is None


def test_a_doubt_is_nothing_broken():
    assert any_broken(ALL)
    assert not any_broken(ALL[:3])


@pytest.mark.parametrize(
    ("sentence", "said", "remedy"),
    [
        ("It is refused (401); check the key.", "It is refused (401)", "check the key"),
        ("there is none", "there is none", None),
        ("one; two; three", "one", "two; three"),
    ],
)
def test_a_sentence_of_ours_has_its_remedy_behind_the_semicolon(sentence, said, remedy):
    assert of_sentence("a", Mark.BROKEN, sentence) == Finding("a", Mark.BROKEN, said, remedy)
