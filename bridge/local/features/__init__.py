"""What can be asked for of words that were heard, as pure functions over them: other spellings, fewer words, and what
they mean. No recognizer and no protocol is known here; `deepgram/asking` reads what a request wants.
"""

from bridge.local.features.asked import NOTHING, Features
from bridge.local.features.rendering import Rendering

__all__ = ["NOTHING", "Features", "Rendering"]
