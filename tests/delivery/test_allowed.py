"""What calls may name: the prefixes of the operator's, and every way that was thought of to get around them."""

import pytest

from bridge.delivery.allowed import Allowed, parse_prefix
from bridge.errors import ConfigError
from bridge.guard import Guard, parse_networks
from bridge.outlets import Named, named

STRANGERS = Guard(own=False)


def allowed(*prefixes: str, guard: Guard = STRANGERS, proxied: bool = False) -> Allowed:
    patterns = {"tenants": [parse_prefix(text) for text in prefixes]}
    return Allowed(patterns, guard, proxied=lambda url: proxied)


PLACE = allowed("https://hooks.example.com/calls", "https://*.example.net/", "https://own.example.org:8443/a/")


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/calls",
        "https://hooks.example.com/calls/1?token=a/../b",
        "https://hooks.example.com/calls?x",
        "https://HOOKS.example.com:443/calls",
        "https://a.example.net",
        "https://a.b.example.net/x%2Fy",
        "https://own.example.org:8443/a/b",
    ],
)
def test_what_is_allowed(url: str) -> None:
    assert PLACE.find(url) == named("tenants", url)
    assert PLACE.allows(named("tenants", url).endpoint, url)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/calls",
        "https://hooks.example.com:444/calls",
        "https://hooks.example.com/",
        "https://hooks.example.com/callsign",
        "https://hooks.example.com/Calls",
        "https://hooks.example.com.evil.example/calls",
        "https://hooks.example.com@evil.example/calls",
        "https://evil.example/https://hooks.example.com/calls",
        "https://evil.example#hooks.example.com/calls",
        "https://evil.example?hooks.example.com/calls",
        "https://hooks.example.com\\@evil.example/calls",
        "https://hooks.example.com/calls/../admin",
        "https://hooks.example.com/calls/%2e%2e/admin",
        "https://hooks.example.com/calls/%252e%252e/admin",
        "https://hooks.example.com/calls/..%2fadmin",
        "https://hooks.example.com/calls/..%5cadmin",
        "https://hooks.example.com/calls/..\\admin",
        "https://hooks.example.com/calls/..;/admin",
        "https://hooks.example.com/calls/./x",
        "https://hooks.example.com/calls#x",
        "https://hooks.example.com./calls",
        "https://example.net/",
        "https://.example.net/",
        "https://evilexample.net/",
        "https://a.example.net.evil.example/",
        "https://user:secret@a.example.net/",
        "https://a.example.net:8443/",
        "https://own.example.org:8443/a",
        "https://own.example.org/a/b",
        "//hooks.example.com/calls",
        "hooks.example.com/calls",
        "https:/hooks.example.com/calls",
        "https://hooks.example.com/calls\r\nHost: evil",
        "https://hooks.example.com/ca lls",
        "ftp://hooks.example.com/calls",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "",
        "https://",
        "https://a.example.net:0/",
        "https://a.example.net:99999/",
        "https://hooks.example.com/calls/" + "x" * 3000,
    ],
)
def test_what_is_not(url: str) -> None:
    assert isinstance(PLACE.find(url), str)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "169.254.169.254", "2130706433", "0x7f.1", "localhost"])
def test_an_allow_list_opens_no_private_network(host: str) -> None:
    found = allowed(f"https://{host}/").find(f"https://{host}/x") if host != "2130706433" else "no URL"
    assert isinstance(found, str)


def test_an_allowed_network_does_and_a_metadata_service_stays_shut() -> None:
    guard = Guard(own=False, allowed=parse_networks("0.0.0.0/0"))
    place = allowed("http://127.0.0.1:9000/", "http://169.254.169.254/", guard=guard)

    assert isinstance(place.find("http://127.0.0.1:9000/x"), Named)
    assert place.find("http://169.254.169.254/latest") == "link-local"


def test_behind_a_proxy_only_the_url_can_be_judged() -> None:
    assert allowed("http://a.example.com/", proxied=True).find("http://a.example.com/") == "not https"
    assert isinstance(allowed("http://a.example.com/").find("http://a.example.com/"), Named), "its address decides"


def test_the_first_endpoint_that_allows_it_gets_it() -> None:
    place = Allowed({"a": [parse_prefix("https://x.example/a/")], "b": [parse_prefix("https://x.example/")]}, STRANGERS)

    assert [place.find(f"https://x.example/{path}") for path in ("a/1", "b/1")] == [
        named("a", "https://x.example/a/1"),
        named("b", "https://x.example/b/1"),
    ]
    assert not place.allows("b@12", "https://x.example/a/1")


def test_what_was_named_stays_allowed_by_its_own_pattern_whatever_stands_before_it_by_now() -> None:
    before = named("b", "https://x.example/a/1")
    narrow, wide = parse_prefix("https://x.example/a/"), parse_prefix("https://x.example/")

    assert Allowed({"a": [narrow], "b": [wide]}, STRANGERS).allows(before.endpoint, before.url)
    assert not Allowed({"a": [narrow]}, STRANGERS).allows(before.endpoint, before.url)


def test_a_host_that_is_dialled_directly_is_judged_by_its_address_though_others_have_a_proxy() -> None:
    prefixes = {"a": [parse_prefix("http://inside.example/"), parse_prefix("http://outside.example/")]}
    place = Allowed(prefixes, STRANGERS, proxied=lambda url: "outside" in url)

    assert isinstance(place.find("http://inside.example/"), Named)
    assert place.find("http://outside.example/") == "not https"


@pytest.mark.parametrize(
    "text",
    [
        *("example.com", "https://", "*", "https://*", "https://*.com/", "https://a.*.com/", "ftp://a.example/"),
        *("https://u:p@a.example/", "https://a.example/?x", "https://a.example/#x", "https://a.example/../b"),
    ],
)
def test_what_is_no_prefix_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError, match="^(each must be the beginning of a URL|a \\* needs)") as refused:
        parse_prefix(text)
    assert "p@" not in str(refused.value)
