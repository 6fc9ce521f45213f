"""What a session says of its end."""

from bridge.deepgram.exchange import Finished


def test_an_end_is_complete_when_nothing_is_uncovered():
    assert Finished().complete
    assert not Finished(((1, 2.0, 3.0),)).complete
