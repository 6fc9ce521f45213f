"""Calls: one is `call`, all that are going on are the `switchboard`."""

from bridge.call.call import Call
from bridge.call.policy import CallPolicy
from bridge.call.stream import Stream
from bridge.call.switchboard import CallRefused, Switchboard

__all__ = ["Call", "CallPolicy", "CallRefused", "Stream", "Switchboard"]
