"""What holds for every test."""

import os

from hypothesis import settings

# No deadline: how long an example takes is the machine's affair. HYPOTHESIS_PROFILE=thorough looks ten times longer.
settings.register_profile("default", deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
