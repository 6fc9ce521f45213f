"""Two tracks of media frames in, one gapless two-channel stream out, on the carrier's clock.

Deepgram counts time in samples, so a sample too many or too few on one channel puts every later word of that speaker
in the wrong place. Here each sample finds its place; what never came becomes silence of the same length, and is said
as a `Gap`. Only the carrier's timestamps decide, as far as they leap no farther than time has passed: there is no wall
clock and no timer in here.

    policy    what may be tuned, and its units
    sequence  which messages of the stream never came
    gaps      the silence we had to invent, as a few records rather than many
    track     one track: where its next frame belongs
    leaps     how far timestamps may run ahead of the audio
    seam      where a stream goes on with what another process has heard
    aligner   both tracks: the carrier's clock, when to wait, what may go out
"""

from bridge.align.aligner import Aligner
from bridge.align.gaps import Gap
from bridge.align.policy import AlignPolicy

__all__ = ["AlignPolicy", "Aligner", "Gap"]
