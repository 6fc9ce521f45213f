"""An event as it is carried: what it says, and its place in the call."""

from dataclasses import dataclass

from bridge.events.data import Data


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a call."""

    call_id: str
    """The record's: the carrier's id, with `--2` and so on added where the carrier came back after the end."""
    seq: int | None
    """Dense from 1 within the call; None for what is not durable."""
    id: str
    """Made of safe characters, stable for ever."""
    time: str
    """When it was made."""
    data: Data

    @property
    def type(self) -> str:
        return self.data.type

    def to_json(self) -> str:
        """The event as the webhook, the record and the feed carry it."""
        head = f'"seq":{self.seq},' if self.seq is not None else ""
        return (
            f'{{{head}"id":"{self.id}","type":"{self.data.type}","time":"{self.time}",'
            f'"data":{self.data.model_dump_json(by_alias=True)}}}'
        )
