"""What is seen of a call beside its record."""

from collections import Counter

from bridge.call.observed import Observed
from bridge.events import AudioGap


def test_missing_audio_adds_up_by_carrier_and_cause():
    missing = Counter()
    for carrier, seconds, why in (
        ("twilio", 0.02, "carrier_gap"),
        ("twilio", 0.04, "carrier_gap"),
        ("telnyx", 1.5, "overflow"),
    ):
        Observed(carrier, missing).lack(AudioGap(track="inbound", from_=1.0, to=9.0, missing=seconds, why=why))

    assert missing == {("twilio", "carrier_gap"): 60, ("telnyx", "overflow"): 1500}
