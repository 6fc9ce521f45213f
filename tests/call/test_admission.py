"""Which streams a call lets in, by the clock of the test."""

import pytest

from bridge.call.admission import Admission
from bridge.call.stream import CallRefused, StreamDenied
from tests.fakes.calls import started


class Going:
    """What is asked of a call."""

    def __init__(self, streams=0, has_token=False):
        self.streams = dict.fromkeys(range(streams))
        self.has_token = has_token


def admission(given=()):
    return Admission(4, lambda call_id: call_id in given)


@pytest.mark.parametrize("call", [None, Going(), Going(streams=3)])
def test_a_stream_of_a_call_without_a_token_may_have_one_or_none(call):
    for token in (None, "a token"):
        admission().check(started(token=token), call, 0.0)


@pytest.mark.parametrize(
    ("given", "call"), [({"CA1"}, None), ({"CA1"}, Going()), ((), Going(has_token=True))], ids=["new", "here", "before"]
)
def test_a_call_that_has_a_token_lets_in_no_stream_without(given, call):
    with pytest.raises(StreamDenied):
        admission(given).check(started(), call, 0.0)
    admission(given).check(started(token="a token"), call, 0.0)


def test_a_call_has_so_many_streams_at_once_and_another_is_no_matter_of_it():
    admitted = admission()
    with pytest.raises(CallRefused, match="too many"):
        admitted.check(started(), Going(streams=4), 0.0)
    admitted.check(started(), Going(streams=3), 0.0)


def test_further_streams_of_one_call_come_no_faster_than_one_in_two_seconds_for_long():
    admitted, call, other = admission(), Going(), Going()
    for _ in range(31):
        admitted.check(started(), call, 0.0)
    with pytest.raises(CallRefused, match="too often"):
        admitted.check(started(), call, 1.9)
    admitted.check(started(), other, 1.9)
    admitted.check(started(), call, 2.0)
    with pytest.raises(CallRefused, match="too often"):
        admitted.check(started(), call, 2.1)
