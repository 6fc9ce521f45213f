import pytest

from bridge.call.stream_ends import StreamEnds


@pytest.fixture
def ends():
    streams = StreamEnds()
    streams.attach("CA1")
    return streams


def test_a_stream_that_was_called_stopped_before_its_socket_was_gone_has_stopped(ends):
    assert ends.stop("CA1", "MZ1") is False

    assert ends.end("CA1", "MZ1", "carrier_disconnected") == "stopped"
    assert ends.end("CA1", "MZ2", "carrier_disconnected") == "carrier_disconnected"


def test_one_that_is_called_stopped_afterwards_does_not_come_back(ends):
    assert ends.end("CA1", "MZ1", "carrier_disconnected") == "carrier_disconnected"
    assert ends.stop("CA1", "MZ1") is True


def test_of_two_that_were_lost_both_must_have_stopped(ends):
    for stream in ("MZ1", "MZ2"):
        ends.end("CA1", stream, "carrier_disconnected")

    assert ends.stop("CA1", "MZ1") is False
    assert ends.stop("CA1", "MZ1") is False
    assert ends.stop("CA1", "MZ2") is True


def test_one_that_has_ended_in_order_is_not_waited_for(ends):
    assert ends.end("CA1", "MZ1", "stopped") == "stopped"
    ends.end("CA1", "MZ2", "carrier_disconnected")

    assert ends.stop("CA1", "MZ2") is True


def test_one_that_was_lost_before_another_came_says_nothing_of_that(ends):
    ends.end("CA1", "MZ1", "carrier_disconnected")
    ends.attach("CA1")
    ends.end("CA1", "MZ2", "carrier_disconnected")

    assert ends.stop("CA1", "MZ1") is False
    assert ends.stop("CA1", "MZ2") is True


@pytest.mark.parametrize("reason", ["carrier_silent", "server_stopping"])
def test_one_whose_socket_we_have_closed_may_come_back(ends, reason):
    assert ends.stop("CA1", "MZ0") is False
    assert ends.end("CA1", "MZ1", reason) == reason
    assert ends.stop("CA1", "MZ1") is False


def test_one_that_went_wrong_may_come_back(ends):
    ends.fail("CA1", "MZ1")

    assert ends.stop("CA1", "MZ1") is False
    assert ends.end("CA1", "MZ1", "carrier_disconnected") == "carrier_disconnected"
    assert ends.stop("CA1", "MZ1") is False


def test_nothing_is_known_of_calls_that_are_not_here(ends):
    ends.forget("CA1")
    ends.fail("CA1", "MZ1")

    assert ends.stop("CA1", "MZ1") is False
    assert ends.end("CA1", "MZ1", "carrier_disconnected") == "carrier_disconnected"
    assert repr(ends) == "<StreamEnds of 0 calls>"
