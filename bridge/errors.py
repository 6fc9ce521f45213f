"""The errors that cross packages. One that is caught in the package that raises it is defined there.

    BridgeError
    ├── ConfigError            a setting or an option that cannot work: reported once, at the start
    ├── LocalProtocolError     we used a machine wrongly: a bug of ours, never caught
    ├── RemoteProtocolError    a peer sent what its protocol does not allow: counted, and the stream goes on
    ├── ReadingError           a bridge's record cannot be read over its API
    │   └── Unreachable        there was no answer: another attempt may succeed
    └── StoreError             the store cannot keep what it was given
        ├── StoreInUse         another process has it
        ├── StoreDamaged       it must be repaired before it can be used
        └── NotOwner           another process has this call

An expected outcome (a webhook's 500, Deepgram's refusal) is a value, never one of these.
"""


class BridgeError(Exception):
    """The base of every error of ours; its message is one sentence that a person can act on."""


class ConfigError(BridgeError):
    """A setting or an option cannot work; the message says which, and what to do."""


class LocalProtocolError(BridgeError):
    """A machine was given an event that its state does not allow."""


class RemoteProtocolError(BridgeError):
    """A peer sent what its protocol does not allow."""


class ReadingError(BridgeError):
    """The bridge's record cannot be read."""


class Unreachable(ReadingError):
    """There was no answer, or half of one: another attempt may succeed."""


class StoreError(BridgeError):
    """The store is closed, full or unreadable."""


class StoreInUse(StoreError):
    """Another process has opened the store."""


class StoreDamaged(StoreError):
    """The store must be repaired before it can be used."""


class NotOwner(StoreError):
    """Another process owns the call, or none does: this one may not append to it."""
