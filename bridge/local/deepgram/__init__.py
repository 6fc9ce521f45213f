"""A server that speaks Deepgram's live and pre-recorded API on this machine: to try the bridge, and to test it."""

from bridge.local.deepgram.connection import Connection
from bridge.local.deepgram.faults import NO_FAULTS, Faults
from bridge.local.deepgram.prerecorded import Posted
from bridge.local.deepgram.request import ListenRequest, Refusal
from bridge.local.deepgram.server import LocalDeepgram, serve
from bridge.local.deepgram.session import Limits

__all__ = [
    "NO_FAULTS",
    "Connection",
    "Faults",
    "Limits",
    "ListenRequest",
    "LocalDeepgram",
    "Posted",
    "Refusal",
    "serve",
]
