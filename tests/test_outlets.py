"""Which endpoints get a call, by the number that was called and by what the call names."""

import pytest

from bridge.outlets import OTHERS, Outlet, Outlets, named, outlets_of, pattern_of, plain_number

OUTLETS = Outlets(
    [
        Outlet("webhook", is_usual=True),
        Outlet("sales", frozenset({"+15550101", "+15550102"})),
        Outlet("rest", OTHERS),
        Outlet("tenants", is_pattern=True),
    ]
)


@pytest.mark.parametrize(
    ("called", "expected"),
    [
        ("+15550101", ("webhook", "sales")),
        ("+1 (555) 01-02", ("webhook", "sales")),
        ("+15550103", ("webhook", "rest")),
        ("sip:sales@example.com", ("webhook", "rest")),
        (None, ("webhook", "rest")),
    ],
)
def test_the_called_number_decides(called: str | None, expected: tuple[str, ...]) -> None:
    assert OUTLETS.of(called) == expected


def test_a_call_that_names_its_own_does_without_the_usual_one() -> None:
    assert OUTLETS.of("+15550101", named=True) == ("sales",)


def test_names_alone_get_every_call() -> None:
    assert outlets_of(["webhook", "twilio"]).of("+15550101") == ("webhook", "twilio")
    assert outlets_of(OUTLETS) is OUTLETS
    assert outlets_of(()).of(None) == ()


def test_a_named_endpoint_has_an_id_that_does_not_tell_its_url() -> None:
    one, same, other = (
        named("tenants", url) for url in ("https://a.example/?t=1", "https://a.example/?t=1", "https://b")
    )

    assert one == same != other
    assert one.endpoint.startswith("tenants@") and "example" not in one.endpoint
    assert (pattern_of(one.endpoint), pattern_of("webhook")) == ("tenants", None)


def test_what_the_settings_have() -> None:
    assert (OUTLETS.names, OUTLETS.patterns) == (("webhook", "sales", "rest"), ("tenants",))
    assert [OUTLETS.knows(name) for name in ("sales", "tenants@12", "tenants", "gone", "gone@12")] == [
        *(True, True),
        *(False, False, False),
    ]


def test_numbers_are_compared_by_their_digits() -> None:
    written = (
        "+1 (555) 010-1.2",
        "1 555 01012",
        "+1\u2011555\u2013010\u00a01.2",
        "\uff0b\uff11555010\uff112",
        "\u202a+155501012\u202c",
    )
    assert {plain_number(text) for text in written} == {"155501012"}
    assert plain_number(" SIP:Ann.B@Example.com") == "sip:ann.b@example.com", "ann.b is not annb"
    assert plain_number("client:ann-b") == "client:ann-b"
