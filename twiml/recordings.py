"""Twilio's recordings: which one an address names, what Twilio says of it and of its call, and its audio.

Sources: https://www.twilio.com/docs/voice/api/recording and .../call-resource; `RequestedChannels`, which asks for both
channels of a recording that has two: https://www.twilio.com/en-us/changelog/dual-channel-voice-recordings-by-default
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from twiml.errors import TwilioError, TwilioUnknown
from twiml.rest import TwilioAccount

_PATH = re.compile(
    r"/2010-04-01/Accounts/(AC[0-9a-fA-F]{32})(?:/Calls/CA[0-9a-fA-F]{32})?/Recordings/(RE[0-9a-fA-F]{32})(?:\.\w+)?"
)


@dataclass(frozen=True, slots=True)
class RecordingAddress:
    """What an address names."""

    account: str
    sid: str


@dataclass(frozen=True, slots=True)
class TwilioRecording:
    """What Twilio says of one."""

    sid: str
    channels: int
    call_sid: str
    """Empty: of a conference."""
    started_at: datetime | None
    from_: str | None
    to: str | None
    direction: Literal["inbound", "outbound"] | None
    """Of the call; None where Twilio knows it no more."""


def recording_address(url: str, base_url: str) -> RecordingAddress | None:
    """The recording that an address names; None for any other address. `base_url`: of the API that is asked."""
    parts, api = urlsplit(url), urlsplit(base_url)
    own = parts.netloc == api.netloc or (parts.hostname or "").endswith(".twilio.com")
    found = _PATH.fullmatch(parts.path)
    return RecordingAddress(found[1], found[2]) if own and found else None


async def describe(account: TwilioAccount, address: RecordingAddress) -> TwilioRecording:
    """Ask Twilio for it. Raises TwilioError."""
    if address.account != account.sid:
        raise TwilioError("The recording is of another account: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN to its.")
    said = await account.get(f"Recordings/{address.sid}.json", {}, f"recording {address.sid}")
    call_sid = str(said.get("call_sid") or "")
    call: dict[str, Any] = {}
    if call_sid:
        with suppress(TwilioUnknown):  # Twilio forgets calls before it forgets recordings
            call = await account.get(f"Calls/{call_sid}.json", {}, f"call {call_sid}")
    direction = str(call.get("direction") or "")
    return TwilioRecording(
        address.sid,
        2 if str(said.get("channels")) == "2" else 1,
        call_sid,
        _moment(said.get("start_time") or said.get("date_created")),
        call.get("from") or None,
        call.get("to") or None,
        "inbound" if direction == "inbound" else "outbound" if direction.startswith("outbound") else None,
    )


async def download(account: TwilioAccount, recording: TwilioRecording, to: Path) -> None:
    """Its audio as WAV, with every channel it has. Raises TwilioError, and OSError for the file."""
    query = {"RequestedChannels": "2"} if recording.channels == 2 else {}
    await account.download(f"Recordings/{recording.sid}.wav", query, f"recording {recording.sid}", to)


def _moment(said: Any) -> datetime | None:
    """A date as Twilio writes it, in RFC 2822; None for what is none."""
    try:
        return parsedate_to_datetime(said)
    except (TypeError, ValueError):
        return None
