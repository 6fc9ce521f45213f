"""Point a Twilio number at the bridge, and back; attach a stream to a call that is already going on.

Only a number's voice URL and its method are ever changed. What they were is written to a small file first, so that
`undo` can put them back. Nothing is printed here: the command that calls these functions does that.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from twiml.document import NUMBER, check_parameter, check_stream_url
from twiml.errors import TwilioError, TwimlError
from twiml.rest import SID, TwilioAccount

REST_PARAMETERS = 99
"""`Parameter1` to `Parameter99` are all that Streams.json takes."""

REMEMBERED = ("voice_url", "voice_method", "pointed_to")
"""The fields remembered of a number: how it answered before, and the URL it was pointed to."""


@dataclass(frozen=True, slots=True)
class NumberConfig:
    """How a number answers calls."""

    sid: str
    number: str
    friendly_name: str
    voice_url: str
    """Empty: none."""
    voice_method: str
    voice_application_sid: str
    trunk_sid: str
    application_url: str = ""
    """The voice URL of its TwiML App, as far as it was asked for: `held` and `show` do."""

    @property
    def leads_to(self) -> str:
        """The URL that Twilio asks when the number is called; empty: none, or a trunk takes its calls."""
        if self.trunk_sid:
            return ""
        return self.application_url if self.voice_application_sid else self.voice_url

    @property
    def obstacle(self) -> str | None:
        """Why Twilio ignores the voice URL of this number and what to do about it; None when it does not."""
        if self.voice_application_sid:
            what, field = f"the TwiML App {self.voice_application_sid}", "VoiceApplicationSid"
        elif self.trunk_sid:
            what, field = f"the SIP trunk {self.trunk_sid}", "TrunkSid"
        else:
            return None
        return (
            f"{self.number} is attached to {what}, and Twilio ignores a voice URL as long as it is. "
            f"Detach it in the Console, or POST an empty {field} to IncomingPhoneNumbers/{self.sid}.json, "
            "then try again."
        )


@dataclass(frozen=True, slots=True)
class Change:
    """A number before and after."""

    before: NumberConfig
    after: NumberConfig


async def show(account: TwilioAccount, number: str) -> NumberConfig:
    """How `number`, written +15551234567, answers calls now. Raises `TwilioError`, as everything here."""
    if not NUMBER.fullmatch(number):
        raise TwilioError("A number is written in full, with its country, such as +15551234567.")
    query = {"PhoneNumber": number, "PageSize": "1000"}
    found = await account.get("IncomingPhoneNumbers.json", query, f"number {number}")
    # Twilio's filter also finds numbers that merely contain this one.
    for entry in found.get("incoming_phone_numbers") or ():
        if isinstance(entry, dict) and entry.get("phone_number") == number:
            return (await _with_applications(account, [_config(entry)]))[0]
    raise TwilioError(f"This Twilio account has no number {number}; name one of its own, as its Console lists them.")


async def held(account: TwilioAccount) -> list[NumberConfig]:
    """The numbers of the account, the first thousand of them."""
    found = await account.get("IncomingPhoneNumbers.json", {"PageSize": "1000"}, "account")
    configs = [_config(entry) for entry in found.get("incoming_phone_numbers") or () if isinstance(entry, dict)]
    return await _with_applications(account, configs)


async def point(account: TwilioAccount, number: str, voice_url: str, memory: Path) -> Change:
    """Let `number` answer with what `voice_url` says, by POST.

    Remembers the former URL in the file `memory`. Doing it twice changes nothing and forgets nothing, and neither does
    it where a TwiML App leads there already. Raises `TwilioError` for a number whose voice URL Twilio would ignore.
    """
    before = await show(account, number)
    if before.obstacle and before.leads_to != voice_url:
        raise TwilioError(before.obstacle)
    if before.obstacle or (before.voice_url, before.voice_method) == (voice_url, "POST"):
        return Change(before, before)
    remembered = _load(memory)
    former = remembered.get(number)
    if former is None or former["pointed_to"] != before.voice_url:
        former = {"voice_url": before.voice_url, "voice_method": before.voice_method}
    # Before the change: what is overwritten first and written down afterwards can be lost.
    _save(memory, {**remembered, number: {**former, "pointed_to": voice_url}})
    return Change(before, await _set_voice(account, before, voice_url, "POST"))


def is_remembered(number: str, memory: Path) -> bool:
    """Whether `point` has changed this number, and `undo` has not put it back. Raises `TwilioError`."""
    return number in _load(memory)


async def undo(account: TwilioAccount, number: str, memory: Path) -> Change:
    """Put back what `point` remembered of `number`, and forget it.

    Raises `TwilioError` when nothing is remembered, or when the URL has been changed since.
    """
    remembered = _load(memory)
    former = remembered.pop(number, None)
    if former is None:
        raise TwilioError(f"Nothing is remembered of {number} in {memory}; there is nothing to undo.")
    before = await show(account, number)
    if before.voice_url != former["pointed_to"]:
        raise TwilioError(
            f"{number} no longer answers with the URL that was set here but with {before.voice_url or 'none'}; "
            f"it stays so. What was remembered is in {memory}."
        )
    after = await _set_voice(account, before, former["voice_url"], former["voice_method"])
    _save(memory, remembered)
    return Change(before, after)


async def start_stream(
    account: TwilioAccount,
    call_sid: str,
    url: str,
    *,
    status_callback: str | None = None,
    parameters: Mapping[str, str] | None = None,
    track: str = "both_tracks",
) -> str:
    """Fork the tracks of a call in progress to `url`, without touching its TwiML. Returns the stream's SID.

    It works on a call that the bridge never answered, and once more after a server was down. A call has four tracks at
    a time to give away, so two such forks. Raises `TwimlError` for a URL or a parameter that Twilio would not take,
    `TwilioError` for the rest. `track`: `inbound_track`, `outbound_track` or `both_tracks`.
    (Twilio's REST API: POST Calls/{CallSid}/Streams.json.)
    """
    parameters = parameters or {}
    check_stream_url(url)
    for key, value in parameters.items():
        check_parameter(key, value)
    if len(parameters) > REST_PARAMETERS:
        raise TwimlError(f"A stream that is started through the API takes at most {REST_PARAMETERS} parameters.")
    if not SID.fullmatch(call_sid):
        raise TwilioError("A call SID is CA and 32 hexadecimal digits.")
    form = {"Url": url, "Track": track}
    if status_callback:
        form |= {"StatusCallback": status_callback, "StatusCallbackMethod": "POST"}
    for index, (key, value) in enumerate(parameters.items(), start=1):
        form |= {f"Parameter{index}.Name": key, f"Parameter{index}.Value": value}
    stream = await account.post(f"Calls/{call_sid}/Streams.json", form, f"call {call_sid} in progress")
    return str(stream.get("sid") or "")


async def _with_applications(account: TwilioAccount, configs: list[NumberConfig]) -> list[NumberConfig]:
    """With the voice URLs of their TwiML Apps, of which an account has a thousand at most."""
    if not any(config.voice_application_sid for config in configs):
        return configs
    found = await account.get("Applications.json", {"PageSize": "1000"}, "account")
    apps = [entry for entry in found.get("applications") or () if isinstance(entry, dict)]
    urls = {str(entry.get("sid") or ""): str(entry.get("voice_url") or "") for entry in apps}
    return [replace(config, application_url=urls.get(config.voice_application_sid, "")) for config in configs]


async def stop_stream(account: TwilioAccount, call_sid: str, stream_sid: str) -> None:
    """Stop a fork of a call in progress, however it was started; the call goes on. Raises `TwilioUnknown` for one that
    is not there any more, `TwilioError` for the rest. (Twilio's REST API: POST Calls/{CallSid}/Streams/{Sid}.json.)
    """
    if not SID.fullmatch(call_sid) or not SID.fullmatch(stream_sid):
        raise TwilioError("A call SID is CA and 32 hexadecimal digits, a stream's is MZ and as many.")
    await account.post(f"Calls/{call_sid}/Streams/{stream_sid}.json", {"Status": "stopped"}, f"stream {stream_sid}")


async def _set_voice(account: TwilioAccount, config: NumberConfig, url: str, method: str) -> NumberConfig:
    form = {"VoiceUrl": url, "VoiceMethod": method}
    return _config(await account.post(f"IncomingPhoneNumbers/{config.sid}.json", form, f"number {config.number}"))


def _config(entry: Mapping[str, Any]) -> NumberConfig:
    """A number out of Twilio's JSON, where what is not set may be null, empty or missing."""

    def text(key: str) -> str:
        return str(entry.get(key) or "")

    return NumberConfig(
        sid=text("sid"),
        number=text("phone_number"),
        friendly_name=text("friendly_name"),
        voice_url=text("voice_url"),
        voice_method=text("voice_method") or "POST",
        voice_application_sid=text("voice_application_sid"),
        trunk_sid=text("trunk_sid"),
    )


def _load(memory: Path) -> dict[str, dict[str, str]]:
    try:
        remembered = json.loads(memory.read_text("utf-8"))
        return {number: {key: str(former[key]) for key in REMEMBERED} for number, former in remembered.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise TwilioError(
            f"{memory}, where the former URLs of numbers are kept, cannot be read ({type(error).__name__}); "
            "repair it or move it away."
        ) from error


def _save(memory: Path, remembered: Mapping[str, Mapping[str, str]]) -> None:
    """Replace the file atomically, readable by its owner only: a voice URL may hold a password."""
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=memory.parent, prefix=memory.name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(remembered, file, indent=1)
        os.replace(name, memory)
    except OSError as error:
        raise TwilioError(
            f"{memory}, where the former URLs of numbers are kept, cannot be written ({error.strerror})."
        ) from error
