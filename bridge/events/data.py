"""What every event is: a frozen model with a name."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Data(BaseModel):
    """What an event says; `type` is the event's name and `durable` whether it enters the log."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    type: ClassVar[str]
    durable: ClassVar[bool] = True
