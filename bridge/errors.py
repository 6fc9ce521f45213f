"""The errors that cross rooms. One that is caught where it is raised, or next door, stands in its own room.

    BridgeError
    ├── ConfigError            a setting or an option that cannot work: said once, at the start
    ├── LocalProtocolError     we used a machine wrongly: our bug, let it surface
    ├── RemoteProtocolError    a peer sent what its protocol does not allow: count it, go on
    └── StoreError             the store cannot keep what it was given
        ├── StoreInUse         another process has it
        └── NotOwner           another process has this call

An expected outcome (a webhook's 500, Deepgram's refusal) is a value, never one of these.
"""


class BridgeError(Exception):
    """The base of every error below; its message is one sentence that a person can act on."""


class ConfigError(BridgeError):
    """A setting or an option that cannot work."""


class LocalProtocolError(BridgeError):
    """A machine was asked for something its present state does not allow."""


class RemoteProtocolError(BridgeError):
    """A peer sent something its protocol does not allow."""


class StoreError(BridgeError):
    """The store is closed, full or unreadable."""


class StoreInUse(StoreError):
    """Another process has the store."""


class NotOwner(StoreError):
    """The call goes on in another process, or in none: this one may not append to it."""
