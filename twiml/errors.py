"""The expected errors of this package."""


class TwimlError(ValueError):
    """Something that TwiML cannot say or Twilio would not accept; the message is one sentence without the value."""


class TwilioError(Exception):
    """Twilio, or the way to it, did not do what was asked; the message says what a person can do about it."""


class TwilioUnknown(TwilioError):
    """Twilio has nothing of that name, or no longer."""


class TwilioUnreached(TwilioError):
    """There was no answer, or none of Twilio's."""
