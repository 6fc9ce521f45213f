"""However a socket cuts its frames into reads, the call is the same: its audio, its gaps and its counters."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.align import Aligner, AlignPolicy
from bridge.carriers.messages import Media

SIZES = st.sampled_from([160, 160, 160, 160, 161, 80, 320, 1, 0])
TRACKS = st.sampled_from(["inbound", "outbound"] * 8 + ["sideways"])


def frames(count: int) -> st.SearchStrategy[list[tuple[str, int, int | None, bytes, int]]]:
    """What a carrier sends: mostly in order, sometimes lost, late, twice, without a number, or stamped as it likes."""
    one = st.tuples(
        TRACKS,
        st.sampled_from([0] * 12 + [1, -1, 4, -7, 20, -20, 45, -60, 200, -400, 3_000, 70_000, -5_000]),  # ms astray
        st.sampled_from([0] * 12 + [1, -1, 3, -5, 400]),  # numbers astray
        st.booleans(),
        SIZES,
        st.sampled_from([0] * 10 + [1]),  # which of two streams
        st.sampled_from([1] * 12 + [0, 2, 5, 30]),  # steps that pass
    )
    return st.lists(one, max_size=count).map(lambda drawn: list(_sent(drawn)))


def _sent(drawn):
    steps = {"inbound": 0, "outbound": 0, "sideways": 0}
    numbers = [1, 1]
    for track, astray, renumbered, numbered, size, stream, passed in drawn:
        numbers[stream] += 1
        number = max(0, numbers[stream] + renumbered) if numbered or stream == 0 else None
        at = max(0, 40 + 20 * steps[track] + astray)
        yield track, at, number, bytes([steps[track] % 200]) * size, stream
        steps[track] += passed


def play(sent, cuts: Sequence[int], policy: AlignPolicy):
    """What an aligner makes of it. `cuts`: where one read ends and the next begins; a read is of one stream."""
    aligner = Aligner(policy)
    sources = [aligner.open_stream(0)[0], aligner.open_stream(0)[0]]
    audio, gaps = [], []
    ends = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))} | _turns(sent))
    for start, end in pairwise(ends):
        read = [Media(*frame[:4]) for frame in sent[start:end]]
        aligner.receive(read, sources[sent[start][4]])
        audio.append(aligner.data_to_send())
        gaps += aligner.events_received()
    audio.append(aligner.flush())
    gaps += aligner.events_received()
    return b"".join(audio), gaps, dict(aligner.counters), aligner.position


def _turns(sent):
    """Where another stream has its turn."""
    return {place for place in range(1, len(sent)) if sent[place][4] != sent[place - 1][4]}


@settings(max_examples=400)
@given(
    frames(120),
    st.lists(st.integers(0, 120), max_size=30),
    st.sampled_from([20, 60, 100]),
    st.sampled_from([60, 120]),
)
@example([("inbound", 20 * step, step, b"a" * 160, 0) for step in range(40)], [13, 14, 30], 60, 60)
def test_any_cutting_gives_the_same(sent, cuts, chunk_ms, hold_ms):
    policy = AlignPolicy(chunk_ms=chunk_ms, hold_ms=hold_ms)

    assert play(sent, cuts, policy) == play(sent, range(len(sent)), policy)
