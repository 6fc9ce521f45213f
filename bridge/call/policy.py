"""What all calls have in common. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.align import AlignPolicy
from bridge.call.continuity import ContinuityPolicy
from bridge.call.control import Keys
from bridge.deepgram.exchange import SessionPolicy


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """What all calls have in common."""

    vosk_request: str | None = None
    """What a Vosk server is asked, which hears calls in Deepgram's place: path and query."""
    align: AlignPolicy = field(default_factory=AlignPolicy)
    session: SessionPolicy = field(default_factory=SessionPolicy)
    labels: Mapping[str, str] = field(default_factory=dict)
    """Speaker labels by track, over those that follow from the direction."""
    public_url: str | None = None
    max_streams: int = 16
    """Of one call at once: one for each track, and more forks than can be meant."""
    continuity: ContinuityPolicy = field(default_factory=ContinuityPolicy)
    keys: Keys = Keys()
