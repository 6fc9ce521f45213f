"""POSTs are cut out of a connection, and finals found in them."""

import pytest

from scripts.benchmark.webhook import Posts, tags

POSTS = (
    b"POST /hook HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nfirst"
    b"POST /hook HTTP/1.1\r\ncontent-length:6\r\nAccept: */*\r\n\r\nsecond"
)


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_posts_in_pieces(step):
    posts = Posts()

    bodies = [body for at in range(0, len(POSTS), step) for body in posts.receive(POSTS[at : at + step])]

    assert bodies == [b"first", b"second"]


def test_the_finals_of_a_post_are_told_once():
    assert tags(b'{"text":"zq00012x003 for","words":["zq00012x003"]},{"text":"zq00001x999"}') == {(12, 3), (1, 999)}


def test_an_interim_is_no_final():
    assert tags(b'{"text":"hello for calling"}') == set()
