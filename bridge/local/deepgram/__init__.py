"""A server that speaks Deepgram's live API on this machine: for trying the bridge, and for testing it."""

from bridge.local.deepgram.connection import Connection
from bridge.local.deepgram.faults import NO_FAULTS, Faults
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
    "Refusal",
    "serve",
]
