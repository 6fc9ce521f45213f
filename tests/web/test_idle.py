import pytest

from bridge.web.idle import Idle, network


def test_the_oldest_of_the_address_gives_way():
    idle = Idle(2, 10)

    assert [idle.wait(name, address) for name, address in (("a", "x"), ("b", "y"), ("c", "x"))] == [None] * 3
    assert idle.wait("d", "x") == "a"
    assert len(idle) == 3


def test_the_oldest_of_all_gives_way_where_all_are_too_many():
    idle = Idle(10, 3)
    for number in range(3):
        assert idle.wait(str(number), f"address {number}") is None

    assert idle.wait("3", "another") == "0"


def test_one_address_has_no_more_than_all():
    assert Idle(100, 3).of_one_address == 3


def test_one_that_has_waited_no_more_for_a_while_is_young_again():
    idle = Idle(2, 10)
    idle.wait("a", "x")
    idle.wait("b", "x")
    idle.leave("a")
    idle.wait("a", "x")

    assert idle.wait("c", "x") == "b"


def test_waiting_again_counts_once():
    idle = Idle(2, 10)
    for _ in range(9):
        assert idle.wait("a", "x") is None

    assert len(idle) == 1


def test_nothing_is_left_of_those_that_are_gone():
    idle = Idle(2, 10)
    idle.wait("a", "x")
    idle.leave("a")
    idle.leave("a")

    assert repr(idle) == "<Idle 0 connections of 0 addresses>"


@pytest.mark.parametrize(
    ("peer", "counts_for"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a socket's path", "a socket's path"),
    ],
)
def test_whom_an_address_counts_for(peer, counts_for):
    assert network(peer) == counts_for
