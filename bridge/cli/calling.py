"""What `bridge call` does: find whom to call, and play a recording there."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from bridge import config
from bridge.carriers.twilio import TWILIO
from bridge.cli import place
from bridge.errors import ConfigError
from bridge.local import voice
from bridge.local.caller import Summary, Target, play
from bridge.local.stream import CallerFaults, CallerOptions
from bridge.local.wav import Recording
from twiml.web import VOICE_PATH

_REMEDY = "start `bridge serve --local`, or say where to call: --voice, --to"


@dataclass(frozen=True, slots=True)
class CallArguments:
    """Where to call, how to sign, and what to send. Without `to` and `voice` the bridge on this machine is called."""

    to: str | None
    voice: str | None
    token: str | None
    sign: str | None
    speed: float
    parameters: dict[str, str]
    tracks: tuple[str, ...]


async def call(
    given: CallArguments, recording: Recording, faults: CallerFaults, tell: Callable[[str], None]
) -> Summary:
    """Play one call. `tell` is given a line when it begins: for its length nothing else is to be seen. Raises
    VoiceError, and ConfigError where no place is known."""
    signed = given.sign
    if given.to:
        url, options = given.to, CallerOptions()
    elif given.voice:
        url, options = await _asked(given.voice, given.token)
    else:
        url, found, options = await _here(given.token)
        signed = signed or found
    options = replace(options, parameters={**options.parameters, **given.parameters}, tracks=given.tracks)
    target = Target(url, speed=given.speed, auth_token=given.token, signed_url=signed)
    lasts = f", for {recording.seconds / given.speed:.0f} s" if given.speed else ""
    tell(f"calling {urlsplit(url).netloc.rpartition('@')[2]}{lasts} …")
    return await play(target, recording, options, faults)


async def _asked(url: str, token: str | None, signed_url: str | None = None) -> tuple[str, CallerOptions]:
    """What a voice webhook answers. Raises VoiceError, and ConfigError for a signature that it does not take."""
    try:
        return await voice.ask(url, token, signed_url)
    except voice.VoiceError as error:
        if error.status == 403:
            raise ConfigError(f"{error} Set TWILIO_AUTH_TOKEN as the bridge has it") from None
        raise


async def _here(token: str | None) -> tuple[str, str, CallerOptions]:
    """The media socket of the bridge on this machine, what to sign for it, and who calls.

    Its voice webhook is asked, as Twilio does; the socket that it names is reached on this machine, even where the
    bridge's public URL is another: the call is a test of the bridge, not of the way to it.
    """
    bridge = place.find(config.load())
    if bridge is None:
        raise ConfigError(f"no bridge is known here: {_REMEDY}")
    sockets = bridge.url.replace("http", "ws", 1)
    try:
        named, options = await _asked(bridge.url + VOICE_PATH, token, bridge.public_url + VOICE_PATH)
    except voice.VoiceError as error:
        if error.status is None:
            raise ConfigError(f"no bridge answers at {bridge.url}: {_REMEDY}") from None
        if error.status != 404:
            raise
        # The bridge has no public URL, and so no voice webhook.
        return sockets + TWILIO.path, bridge.public_url.replace("http", "ws", 1) + TWILIO.path, CallerOptions()
    return sockets + urlsplit(named).path, named, options
