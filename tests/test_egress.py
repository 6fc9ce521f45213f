"""One rule for all that goes out, with environments as tables."""

import ssl

import pytest

from bridge.egress import DIRECT, Egress
from bridge.errors import ConfigError

PASSWORD = "s3cret-pw"


def proxy(url: str, **environment: str) -> str | None:
    """Where a URL's proxy is."""
    found = Egress(environment).route(url).proxy
    return f"{found.host}:{found.port}" if found else None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://hook.example/x?y", "secure:1"),
        ("wss://api.deepgram.com", "secure:1"),
        ("http://hook.example:8080", "plain:2"),
        ("ws://deepgram.example", "plain:2"),
        ("https://hook.example:8443/", "secure:1"),
    ],
)
def test_the_scheme_says_which_proxy(url: str, expected: str) -> None:
    assert proxy(url, HTTPS_PROXY="http://secure:1", HTTP_PROXY="http://plain:2", ALL_PROXY="http://all:3") == expected
    assert proxy(url, ALL_PROXY="http://all:3") == "all:3"
    assert proxy(url) is None


def test_small_letters_come_first_and_may_take_a_proxy_away() -> None:
    assert proxy("https://a.example", HTTPS_PROXY="http://big:1", https_proxy="http://small:1") == "small:1"
    assert proxy("https://a.example", HTTPS_PROXY="http://big:1", https_proxy="") is None


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:9",
        "http://LOCALHOST",
        "http://a.localhost",
        "http://127.0.0.1",
        "http://127.9.9.9",
        "http://[::1]",
    ],
)
def test_this_machine_is_reached_directly_even_past_a_broken_proxy(url: str) -> None:
    assert proxy(url, HTTP_PROXY="http://proxy:1") is None
    assert proxy(url, HTTP_PROXY="ftp://nonsense") is None


@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [
        ("hook.example", True),
        ("HOOK.Example", True),
        ("example", True),
        (".example", True),
        ("*.example", True),
        ("other, hook.example", True),
        ("other hook.example", True),
        ("other,hook.example", True),
        ("*", True),
        ("hook.example:443", True),
        ("hook.example:80", False),
        ("ook.example", False),
        ("hook.example.org", False),
        ("10.0.0.0/8", False),
        ("", False),
        (",,", False),
        (".", False),
    ],
)
def test_no_proxy_names_hosts_and_what_is_below_them(no_proxy: str, direct: bool) -> None:
    assert (proxy("https://hook.example/", HTTPS_PROXY="http://proxy:1", NO_PROXY=no_proxy) is None) is direct


@pytest.mark.parametrize(
    ("url", "no_proxy", "direct"),
    [
        ("http://10.1.2.3", "10.0.0.0/8", True),
        ("http://11.1.2.3", "10.0.0.0/8", False),
        ("http://10.1.2.3", "10.1.2.3", True),
        ("http://10.1.2.3:8080", "10.1.2.3:8080", True),
        ("http://10.1.2.3", "10.1.2.3:8080", False),
        ("http://[fd00::1]", "fd00::/8", True),
        ("http://[fd00::1]", "[fd00::1]", True),
        ("http://[fd00::1]:81", "[fd00::1]:81", True),
    ],
)
def test_no_proxy_names_addresses_and_networks(url: str, no_proxy: str, direct: bool) -> None:
    assert (proxy(url, HTTP_PROXY="http://proxy:1", NO_PROXY=no_proxy) is None) is direct


@pytest.mark.parametrize(
    ("scheme", "port"),
    [("http", 80), ("ws", 80), ("https", 443), ("wss", 443)],
)
def test_a_url_without_a_port_means_that_of_its_scheme(scheme: str, port: int) -> None:
    for named in (80, 443):
        found = proxy(f"{scheme}://hook.example", ALL_PROXY="http://proxy:1", NO_PROXY=f"hook.example:{named}")
        assert (found is None) is (named == port)


@pytest.mark.parametrize("url", ["http://localhost./", "http://hook.example.", "http://deep.hook.example./"])
def test_the_dot_behind_a_full_name_changes_nothing(url: str) -> None:
    assert proxy(url, HTTP_PROXY="http://proxy:1", NO_PROXY="hook.example") is None


def test_a_name_of_digits_alone_is_no_port() -> None:
    assert proxy("http://host.42", HTTP_PROXY="http://proxy:1", NO_PROXY="42") is None


@pytest.mark.parametrize(
    ("value", "where", "url", "authorization"),
    [
        ("proxy.corp:3128", "proxy.corp:3128", "http://proxy.corp:3128", None),
        (" http://proxy.corp/ ", "proxy.corp:80", "http://proxy.corp:80", None),
        ("http://me:p%40ss@proxy:1", "proxy:1", "http://me:p%40ss@proxy:1", "Basic bWU6cEBzcw=="),
        ("me:pw@proxy:1", "proxy:1", "http://me:pw@proxy:1", "Basic bWU6cHc="),
        ("http://me@proxy:1", "proxy:1", "http://me:@proxy:1", "Basic bWU6"),
        ("http://[fd00::1]:3128", "fd00::1:3128", "http://[fd00::1]:3128", None),
    ],
)
def test_how_a_proxy_is_written(value: str, where: str, url: str, authorization: str | None) -> None:
    found = Egress({"HTTPS_PROXY": value}).route("https://a.example").proxy
    assert found
    assert (f"{found.host}:{found.port}", found.url, found.authorization) == (where, url, authorization)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize(
    "value",
    [
        f"ftp://corp:{PASSWORD}@proxy:1",
        f"socks5://corp:{PASSWORD}@proxy:1",
        f"https://corp:{PASSWORD}@proxy:1",
        f"http://corp:{PASSWORD}@",
        f"http://corp:{PASSWORD}@proxy:port",
        f"http://corp:{PASSWORD}@proxy:99999",
        f"http://corp:{PASSWORD}@proxy:1/path",
        f"http://corp:{PASSWORD}@[::1",
        f"http://corp:{PASSWORD}\n@proxy:1",
        f"http://corp:{PASSWORD} @proxy:1",
        f"http://corp:{PASSWORD}é@proxy:1",
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name} must be http://") as refused:
        Egress({name: value}).route("https://a.example")
    assert PASSWORD not in str(refused.value)
    assert refused.value.__cause__ is None and refused.value.__context__ is None


@pytest.mark.parametrize("url", ["http://[::1", "http://a.example:99999", "http://", "", "nonsense"])
def test_what_is_no_address_has_a_route_all_the_same(url: str) -> None:
    assert Egress({"HTTP_PROXY": "http://proxy:1"}).route(url).tls is None


def test_a_route_shows_no_password() -> None:
    route = Egress({"HTTPS_PROXY": f"http://corp:{PASSWORD}@proxy:1"}).route("https://a.example")
    assert route.proxy and route.proxy.authorization
    assert PASSWORD not in repr(route) and route.proxy.authorization not in repr(route)
    assert "proxy" in repr(route)


def test_certificates_are_the_same_for_all() -> None:
    context = ssl.create_default_context()
    egress = Egress({"HTTP_PROXY": "http://proxy:1"}, context)
    assert {egress.route(url).tls for url in ("https://a.example", "http://a.example", "http://127.0.0.1")} == {context}
    assert DIRECT.proxy_url is None
    assert egress.route("ws://a.example").proxy_url == "http://proxy:1"
