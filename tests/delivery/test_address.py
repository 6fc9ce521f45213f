"""A webhook's URL on the wire is the one that was given."""

import pytest

from bridge.delivery.address import parse_address
from bridge.errors import ConfigError


@pytest.mark.parametrize(
    "target",
    [
        "/hook?sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=aB%2Bc%2Fd%3D",
        "/hook%28v1%29?x=%7Bid%7D",
        "/hook?q=a%20b&e=smooth%40criminal&f=a+b",
        "/hook/%E2%9C%93/%3Aid",
        "/a%2Fb//c/./d/../e;p=1",
        "/%7e/%7E/~",
        "/hook?",
        "/hook?a=b?c&&d=",
        "/%",
        "/%zz",
        "/\"<>\\^`{|}'",
        "/!$%&()*+,-.:;=?@[]_~",
        "/",
    ],
)
def test_path_and_query_stay_as_they_are(target: str) -> None:
    assert parse_address(f"https://hook.example{target}").target == target


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ("http://hook.example", "/"),
        ("http://hook.example?a=b", "/?a=b"),
        ("http://hook.example/a#b?c", "/a"),
        ("http://hook.example#a", "/"),
        ("http://hook.example/✓?q=ü%C3%BC", "/%E2%9C%93?q=%C3%BC%C3%BC"),
    ],
)
def test_what_cannot_stand_in_a_request_is_all_that_changes(given: str, target: str) -> None:
    assert parse_address(given).target == target


@pytest.mark.parametrize(
    ("given", "host", "port", "authority"),
    [
        ("https://hook.example/", "hook.example", 443, "hook.example"),
        ("https://hook.example:443/", "hook.example", 443, "hook.example"),
        ("https://hook.example:80/", "hook.example", 80, "hook.example:80"),
        ("HTTP://Hook.Example/", "hook.example", 80, "hook.example"),
        ("http://hook.example:8080", "hook.example", 8080, "hook.example:8080"),
        ("http://[::1]:8080/", "::1", 8080, "[::1]:8080"),
        ("http://[::1]/", "::1", 80, "[::1]"),
        ("https://bücher.example/", "xn--bcher-kva.example", 443, "xn--bcher-kva.example"),
    ],
)
def test_host_and_port(given: str, host: str, port: int, authority: str) -> None:
    address = parse_address(given)
    assert (address.host, address.port, address.authority) == (host, port, authority)
    assert address.secure is given.startswith("https")


def test_a_proxy_is_asked_for_all_of_it() -> None:
    address = parse_address("http://hook.example:81?a=%2F")
    assert address.absolute == "http://hook.example:81/?a=%2F"


def test_an_address_shows_no_token() -> None:
    assert "s3cret" not in repr(parse_address("https://hook.example/s3cret?t=s3cret"))


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.com", "ftp://s3cret.example/", "http://", "/s3cret", "http://[::1/s3cret", "ws://s3cret/"),
        *("http:///s3cret", "http://:80/s3cret", "http://hook.example:99999/s3cret", "http://hook.example:x/s3cret"),
        "http://hook.example:0/s3cret",
        *("https://me:s3cret@hook.example/", "https://s3cret@hook.example/"),
        *("http://hook.example/s3cret x", "http://hook.example/s3cret\r\nX: y", "http://hook.example/\ts3cret"),
    ],
)
def test_a_url_that_nothing_can_be_posted_to(url: str) -> None:
    with pytest.raises(ConfigError, match="the webhook's URL") as refused:
        parse_address(url)
    assert "s3cret" not in str(refused.value)
