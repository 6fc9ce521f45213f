"""Calls: one is `call`, all that are going on are in the `registry`."""

from bridge.call.beginnings import CallRefused, StreamDenied
from bridge.call.call import Call
from bridge.call.continuity import ContinuityPolicy
from bridge.call.policy import CallPolicy
from bridge.call.registry import CallRegistry
from bridge.call.services import Services
from bridge.call.stream import Stream

__all__ = [
    "Call",
    "CallPolicy",
    "CallRefused",
    "CallRegistry",
    "ContinuityPolicy",
    "Services",
    "Stream",
    "StreamDenied",
]
