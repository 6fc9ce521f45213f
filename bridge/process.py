"""How the process of a server treats its threads and its memory."""

import gc
import sys

_SHARE = 0.0005  # seconds
_YOUNG, _MIDDLE, _OLD = 2_000, 20, 100  # objects, and collections of what is younger, between two collections


def share_interpreter() -> None:
    """In a commit the store's thread waits for the interpreter several times; this bounds each wait."""
    sys.setswitchinterval(_SHARE)


def spare_collector() -> None:
    """What is there when a server starts stays as long as the process. A full collection would look at all of it, for a
    tenth of a second in which no call goes on; and calls leave few cycles behind."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
