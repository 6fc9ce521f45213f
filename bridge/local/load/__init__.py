"""Load for a bridge that runs somewhere: many callers at once, evenly spread, and what came of their calls.

    plan    who calls when, what is sent, and what goes wrong
    pacer   sends every frame when it is due
    tally   what is known of each call, and the figures
    lines   the callers: sockets, and one call after the other
    feed    reads the bridge's live feed, for the delays

Source of the shape: a server that is sent many calls in one burst reads several frames a wake-up, and costs less than
in life. asyncio's timers tick in whole milliseconds, in which a hundred calls send ten frames; so none paces a frame.
"""

from bridge.local.load.feed import follow
from bridge.local.load.lines import Target, play
from bridge.local.load.pacer import Pacer
from bridge.local.load.plan import Faults, Plan, is_this_machine
from bridge.local.load.tally import Delays, Played, Tally

__all__ = ["Delays", "Faults", "Pacer", "Plan", "Played", "Tally", "Target", "follow", "is_this_machine", "play"]
