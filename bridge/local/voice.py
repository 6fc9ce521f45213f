"""What Twilio does when a number rings: ask the voice webhook, signed, and read the stream out of its TwiML."""

from xml.etree import ElementTree

import aiohttp

from bridge.errors import BridgeError
from bridge.failure import advised, failure
from bridge.local.stream import CallerOptions
from twiml import signature

CALLER = "+15550101"
CALLED = "+15550123"


class VoiceError(BridgeError):
    """The voice webhook did not name a stream."""

    def __init__(self, said: str, status: int | None = None) -> None:
        """`status`: of its answer; None: there was none."""
        super().__init__(said)
        self.status = status


async def ask(url: str, auth_token: str | None, signed_url: str | None = None) -> tuple[str, CallerOptions]:
    """The stream's URL, and who calls with which `<Parameter>`s. `signed_url`: what to sign, where it is not `url`.

    Raises VoiceError with what was answered instead.
    """
    options = CallerOptions()
    form = {"CallSid": options.call_id, "From": CALLER, "To": CALLED, "Direction": "inbound"}
    headers = (
        {signature.SIGNATURE_HEADER: signature.sign_form(auth_token, signed_url or url, form)} if auth_token else {}
    )
    try:
        async with aiohttp.ClientSession() as session, session.post(url, data=form, headers=headers) as response:
            status, answer = response.status, await response.text()
    except aiohttp.ClientConnectorCertificateError as error:
        raise VoiceError(f"{url} cannot be reached: {advised(failure(error.certificate_error, 'tls'))}") from None
    except aiohttp.ClientConnectorError as error:
        raise VoiceError(f"{url} cannot be reached: {failure(error.os_error, 'connect')}") from None
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise VoiceError(f"{url} cannot be reached: {failure(error, 'protocol')}") from None
    try:
        stream = ElementTree.fromstring(answer).find("./Start/Stream")
    except ElementTree.ParseError:
        stream = None
    if status != 200 or stream is None:
        raise VoiceError(f"{url} answered {status} and no <Stream>: {answer.strip()[:200]}", status)
    parameters = {item.get("name", ""): item.get("value", "") for item in stream.iter("Parameter")}
    return stream.get("url", ""), CallerOptions(call_id=options.call_id, parameters=parameters)
