import sys

import pytest

from bridge.errors import ConfigError
from bridge.redaction.rules import Rules, kinds, parse_patterns


def test_kinds_are_named_in_any_order():
    assert kinds("email, card") == {"card", "email"}
    assert kinds("") == frozenset()
    with pytest.raises(ConfigError, match="takes card, phone, email, digits"):
        kinds("card,cards")


def test_a_call_can_only_be_stricter():
    rules = Rules(frozenset(("card",)))

    assert rules.stricter(["email", "nonsense"]).kinds == {"card", "email"}
    assert rules.stricter([]).kinds == {"card"}
    assert not Rules()


def test_own_patterns_are_read_line_by_line():
    pytest.importorskip("re2")
    (policy, patient) = parse_patterns("# ours\npolicy  PN-\\d{6}\n\npatient patient (number )?\\d+\n")

    assert (policy.label, list(policy.spans("it is pn-123456, é"))) == ("policy", [(6, 15)])
    assert list(patient.spans("é Patient number 7")) == [(2, 18)]
    assert Rules(patterns=(policy,)).names == ["policy"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("policy", "line 1 must be a label"),
        ("# x\nPolicy a", "line 2 must be a label"),
        ("card \\d+", "card is a name of BRIDGE_REDACT"),
        ("policy (", "line 1 has an expression that RE2 does not take"),
        ("policy (?=a)b", "line 1 has an expression that RE2 does not take"),
        ("policy a*", "line 1 has an expression that matches nothing at all"),
    ],
)
def test_what_cannot_be_used_is_said_with_its_line(text, reason):
    pytest.importorskip("re2")
    with pytest.raises(ConfigError, match=reason):
        parse_patterns(text)


def test_without_re2_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(ConfigError, match=r"needs RE2: pip install .*\[redact\]"):
        parse_patterns("policy PN")


def test_the_expression_is_not_repeated():
    pytest.importorskip("re2")
    with pytest.raises(ConfigError) as caught:
        parse_patterns("policy (secret")
    assert "secret" not in str(caught.value)


def test_no_pattern_takes_long():
    """With backtracking this one takes longer than the universe."""
    pytest.importorskip("re2")
    (pattern,) = parse_patterns("evil (a+)+$")

    assert list(pattern.spans("a" * 50_000 + "!")) == []
