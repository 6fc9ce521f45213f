"""What calls are made with, on a clock that the test moves."""

from random import Random

from bridge.call import CallPolicy, ContinuityPolicy, Services
from bridge.call.call_options import CallOptions
from bridge.carriers import parameters as parameters_of
from bridge.carriers.messages import Media, Started
from bridge.deepgram import options
from bridge.deepgram.exchange import SessionPolicy
from tests.fakes.origins import at
from tests.fakes.running import AUDIO

NOW = 1_800_000_000.0

TRACKS = ("inbound", "outbound")


class HandClock:
    """Both readings are moved by hand; they begin at the same number."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return self.time


def services(store, server, clock, continuity=None, *, grace=0.0, refork=None, flush=5.0):
    """For calls whose audio goes out as fast as it comes."""
    session = SessionPolicy(speed=1000.0, burst=60.0, flush=flush)
    return Services(
        policy=CallPolicy(session=session, continuity=continuity or ContinuityPolicy(grace=grace)),
        store=store,
        origins=at(server.url),
        options=CallOptions(options.parse(""), frozenset({"language"})),
        clock=clock,
        random=Random(1),
        reforks={"twilio": refork} if refork else {},
    )


def started(call="CA1", stream="MZ1", tracks=TRACKS, token=None, **parameters):
    return Started(
        call,
        stream,
        tracks,
        "audio/x-mulaw",
        8000,
        carrier="twilio",
        **{**parameters_of.read(parameters), "token": token},
    )


def feed(stream, seconds, first=100, skip=0.0, tracks=TRACKS, number=0):
    """Coded audio of the tracks, from `skip` seconds on, on a carrier's clock that begins at `first` ms; `number`
    messages have come before.
    """
    sequence = 1 + number
    for offset in range(round(skip * 8000), round((skip + seconds) * 8000), 160):
        for track, audio in zip(TRACKS, AUDIO, strict=True):
            if track in tracks:
                sequence += 1
                at = first + (offset - round(skip * 8000)) // 8
                stream.receive(Media(track, at, sequence, audio[offset : offset + 160]))
