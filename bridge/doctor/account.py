"""Twilio's account and its numbers, asked as `bridge number` asks."""

from bridge.config import Settings
from bridge.doctor.finding import Finding, Mark, broken, fine, of_sentence, skipped
from bridge.doctor.judging import twilio
from bridge.egress import Egress
from bridge.web.carriers import twilio_account
from twiml import number as numbers
from twiml.document import webhook_url
from twiml.errors import TwilioUnreached
from twiml.web import VOICE_PATH


async def examine_twilio(settings: Settings, egress: Egress, number: str | None = None) -> list[Finding]:
    """Whether the pair is accepted, and what answers at the numbers, or at the one. Raises TwilioError."""
    if not settings.twilio_account_sid or not settings.twilio_auth_tokens:
        missing = "TWILIO_AUTH_TOKEN" if settings.twilio_account_sid else "TWILIO_ACCOUNT_SID"
        said = f"the account and its numbers cannot be asked without {missing}"
        return [skipped(twilio.ACCOUNT, said, f"set {missing} to have them looked at")]
    try:
        return await _examined(settings, egress, number)
    except TwilioUnreached as error:
        if "bridge_twilio_api" not in settings.model_fields_set:
            raise
        said = of_sentence(twilio.ACCOUNT, Mark.BROKEN, str(error)).said
        return [broken(twilio.ACCOUNT, said, "correct BRIDGE_TWILIO_API, or unset it: it is for Twilio's regions")]


async def _examined(settings: Settings, egress: Egress, number: str | None) -> list[Finding]:
    account = twilio_account(settings, egress)
    url = webhook_url(settings.public_url, VOICE_PATH) if settings.public_url else None
    if number:
        found = [twilio.one(await numbers.show(account, number), url)]
    else:
        found = twilio.numbers(await numbers.held(account), url)
    return [fine(twilio.ACCOUNT, "the account takes TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"), *found]
