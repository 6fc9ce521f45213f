"""Which addresses are dialled: every form of them, for URLs of the operator's and of others."""

import pytest

from bridge.errors import ConfigError
from bridge.guard import Guard, parse_networks

OWN, STRANGERS = Guard(), Guard(own=False)


def words(text: str) -> list[str]:
    return text.split()


NEVER = words("""
    169.254.169.254 169.254.0.1 169.254.170.2 169.254.255.255 169.254.42.42
    100.100.100.200 168.63.129.16 192.0.0.192
    224.0.0.1 224.0.0.251 239.255.255.250 255.255.255.255
    fe80::1 fe80::1%eth0 fe80::a9fe:a9fe febf::1
    fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fd00:42::42
    ff02::1 ff0e::1 ff05::2
    ::ffff:169.254.169.254 ::ffff:a9fe:a9fe ::ffff:100.100.100.200 ::ffff:224.0.0.1
    64:ff9b::169.254.169.254 64:ff9b::a9fe:a9fe 64:ff9b::168.63.129.16
    64:ff9b:1::a9fe:a9fe 64:ff9b:1:a9fe:a9:fe00:: 64:ff9b:1:0:a9:fea9:fe00::
    2002:a9fe:a9fe::1 2002:a9fe:a9fe:: 2002:6464:64c8::1
    2001:0:a9fe:a9fe::1 2001:0:4136:e378:8000:63bf:5601:5601 2001:0:808:808:0:0:5601:5601
    ::169.254.169.254 ::a9fe:a9fe ::ffff:0:169.254.169.254 ::ffff:0:a9fe:a9fe
    2600::5efe:169.254.169.254 2600::200:5efe:169.254.169.254 fd12::5efe:a9fe:a9fe
""")

PRIVATE = words("""
    0.0.0.0 0.1.2.3 127.0.0.1 127.0.0.2 127.1.1.1 127.255.255.255
    10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255
    100.64.0.1 100.127.255.255 100.100.100.201 192.0.0.1 192.0.0.8 192.0.0.170
    192.0.2.1 198.51.100.1 203.0.113.1 198.18.0.1 198.19.255.255 192.88.99.1 240.0.0.1 255.255.255.254
    :: ::1 ::1%lo 0:0:0:0:0:0:0:1 fc00::1 fd12:3456::1 fdff:ffff::1 fec0::1 feff::1
    ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:10.0.0.1 ::ffff:0.0.0.0 ::ffff:192.168.1.1 0:0:0:0:0:ffff:7f00:1
    ::127.0.0.1 ::7f00:1 ::8.8.8.8 ::2 ::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8
    64:ff9b::127.0.0.1 64:ff9b::7f00:1 64:ff9b::10.0.0.1 64:ff9b::192.168.1.1
    64:ff9b:1::127.0.0.1 64:ff9b:1::8.8.8.8 64:ff9b:1:ffff::1 64:ff9b:2::1
    2002:7f00:1:: 2002:7f00:1::1 2002:a00:1::1 2002:c0a8:101::1 2002:808:808::1
    2001:0:4136:e378:8000:63bf:80ff:fffe 2001:0:7f00:1::1 2001::1 2001:2::1 2001:10::1 2001:20::1 2001:1ff::1
    2001:db8::1 2001:db8:ffff::1 3fff::1 3fff:fff::1 100::1 5f00::1 4000::1 8000::1 e000::1
    2600::5efe:127.0.0.1 2600::200:5efe:10.0.0.1 2600::5efe:8.8.8.8 1::1
""")

PUBLIC = words("""
    1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 99.255.255.255 100.128.0.0 126.255.255.255 128.0.0.1 169.253.255.255
    169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.88.98.255 192.88.100.0
    192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0
    168.63.129.15 168.63.129.17 223.255.255.255
    2600::1 2606:4700:4700::1111 2a00:1450:4001:82a::200e 2001:200::1 2001:4860:4860::8888 2001:db7:ffff::1
    2001:db9::1 2003::1 3ffe::1 3fff:1000::1 ::ffff:8.8.8.8 ::ffff:808:808 64:ff9b::8.8.8.8 64:ff9b::808:808
""")


@pytest.mark.parametrize("address", NEVER)
def test_what_no_url_reaches(address: str) -> None:
    everything = Guard(own=False, allowed=parse_networks("0.0.0.0/0 ::/0"))

    for guard in (OWN, STRANGERS, everything):
        assert guard.refusal(address, 443, True)
        assert guard.refusal_of_host(address, 443, True)


@pytest.mark.parametrize("address", PRIVATE)
def test_what_only_the_operators_own_urls_reach(address: str) -> None:
    assert STRANGERS.refusal(address, 443, True)
    assert STRANGERS.refusal_of_host(address, 443, True)
    assert OWN.refusal(address, 443, True) is None
    assert OWN.refusal(address, 22, False) is None
    assert OWN.refusal_of_host(f"[{address}]" if ":" in address else address, 443, True) is None


@pytest.mark.parametrize("address", PUBLIC)
def test_what_every_url_reaches(address: str) -> None:
    assert STRANGERS.refusal(address, 443, True) is None
    assert STRANGERS.refusal_of_host(address, 443, True) is None
    assert OWN.refusal(address, 80, False) is None


@pytest.mark.parametrize(
    ("port", "secure", "refusal"),
    [
        (443, True, None),
        (80, True, None),
        (1024, True, None),
        (8443, True, None),
        (65535, True, None),
        (22, True, "port"),
        (25, True, "port"),
        (444, True, "port"),
        (1023, True, "port"),
        (443, False, "not https"),
        (80, False, "not https"),
    ],
)
def test_others_have_https_and_few_ports(port: int, secure: bool, refusal: str | None) -> None:
    assert STRANGERS.refusal("8.8.8.8", port, secure) == refusal
    assert STRANGERS.refusal_of_host("app.example.com", port, secure, proxied=True) == refusal
    assert STRANGERS.refusal_of_host("app.example.com", port, secure) is None, "its address decides"


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f.1", "0x7f000001", "017700000001", "127.0.0.0x1", "1.2.3"]
)
def test_an_odd_way_to_write_a_number_is_no_name(host: str) -> None:
    assert STRANGERS.refusal_of_host(host, 443, True) == "an odd number"
    assert STRANGERS.refusal_of_host(f"{host}.", 443, True) == "an odd number"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "app.localhost"])
def test_names_of_this_host(host: str) -> None:
    assert STRANGERS.refusal_of_host(host, 443, True) == "loopback"
    assert OWN.refusal_of_host(host, 443, True) is None


@pytest.mark.parametrize("host", ["metadata.google.internal", "Metadata.Google.Internal.", "metadata", "instance-data"])
def test_names_of_metadata_services(host: str) -> None:
    assert OWN.refusal_of_host(host, 80, False) == STRANGERS.refusal_of_host(host, 443, True) == "metadata"


def test_an_allowed_network_is_reached_by_http_and_at_any_port() -> None:
    guard = Guard(own=False, allowed=parse_networks("10.0.0.0/8, fd12::/16 127.0.0.0/8"))

    for address in ("10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "fd12::1", "127.0.0.1"):
        assert guard.refusal(address, 22, False) is None
    assert guard.refusal_of_host("localhost", 80, False) is None, "its address decides"
    for address in ("192.168.0.1", "fd13::1", "::1", "0.0.0.0", "2002:a00:1::1", "::10.0.0.1", "8.8.8.8"):
        assert guard.refusal(address, 22, False)


@pytest.mark.parametrize("address", ["", "localhost", "127.1", "1.2.3.4.5", "::ffff:1.2.3", "fe80::%", "0x7f000001"])
def test_what_is_no_address_is_not_dialled(address: str) -> None:
    assert STRANGERS.refusal(address, 443, True)


@pytest.mark.parametrize("text", ["10.0.0.0/33", "example.com", "10/8/8", "10.0.0.0-10.0.0.9"])
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^must be networks such as 10\.0\.0\.0/8, separated by spaces$"):
        parse_networks(text)
