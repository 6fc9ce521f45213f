"""What a session leaves to its dialect: a dialect that does everything differently shows it."""

from random import Random

from bridge.audio import AudioFormat
from bridge.deepgram.dialect import Listen, Reading
from bridge.deepgram.exchange import Connect, Finished, Send, SessionPolicy
from bridge.deepgram.extras import Model
from bridge.deepgram.messages import Metadata
from bridge.deepgram.session import Session
from bridge.recognition import Result
from bridge.spans import Span

MONO = SessionPolicy(format=AudioFormat("mulaw", 8000, 1), burst=1.0)


class Backwards:
    """Its audio goes out backwards, one frame says two things, and the closing of its socket is an answer."""

    keep_alive = None
    closing = "bye"

    def __init__(self):
        self.begun = 0

    def opened(self):
        self.begun += 1
        return ("hello",)

    def encode(self, chunk):
        return chunk[::-1]

    def finalize(self, channel):
        return None

    def settle(self, channel):
        return None

    def read(self, frame):
        said = [Result(0, Span(int(at), int(at) + 4), "a", 1.0, (), is_final=True) for at in frame.split()]
        return Reading(said, bad_words=1)

    def closed(self, code):
        return (Result(0, Span(8, 12), "z", 1.0, (), is_final=True), Metadata()) if code == 1000 else ()

    def model(self, frame):
        return Model(frame, "1")


def opened(session):
    session.start(0.0)
    session.connected("r", 0.0)
    return session.data_to_send()


def test_a_session_says_everything_as_its_dialect_does():
    session = Session(MONO, Random(1), dialect=Backwards())
    assert opened(session) == [Connect(), Send("hello")]
    session.receive_audio(b"abcdefghijkl", 0.0)
    session.receive_text("0 4", 0.1)
    session.pause(0.2)
    session.finish(0.3)
    sent = session.data_to_send()
    session.closed(1000, "", 0.4)

    assert sent == [Send(b"lkjihgfedcba"), Send("bye")]
    heard = session.events_received()
    assert [event.span for event in heard if isinstance(event, Result)] == [Span(0, 4), Span(4, 8), Span(8, 12)]
    assert heard[-1] == Finished()
    assert session.journal.requests[0].model == Model("0 4", "1")
    assert session.journal.bad_words == 1


def test_without_a_text_that_keeps_a_socket_open_nothing_is_due():
    session = Session(MONO, Random(1), dialect=Backwards())
    opened(session)
    session.receive_audio(b"abcd", 0.0)

    assert session.get_timer() is None


def test_a_socket_that_is_lost_before_its_last_words_is_followed_by_another():
    dialect = Backwards()
    session = Session(MONO, Random(1), dialect=dialect)
    opened(session)
    session.receive_audio(b"abcd" * 8000, 0.0)
    session.finish(0.1)
    session.closed(1006, "", 0.2)
    session.handle_timer(session.get_timer())
    session.connected("r2", 0.5)

    assert dialect.begun == 2


def test_deepgrams_own():
    dialect = Listen()

    assert (dialect.opened(), dialect.closed(1000), dialect.encode(b"abc")) == ((), (), b"abc")
    assert dialect.read('{"type":"Metadata"}') == Reading((Metadata(),))
    assert dialect.model('{"metadata":{"model_info":{"name":"nova","version":"3"}}}') == Model("nova", "3")
    assert dialect.model("{}") is None
