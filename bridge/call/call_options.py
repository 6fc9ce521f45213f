"""Which options a call is transcribed with, and what is redacted: the operator's, and over them the call's own."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bridge.deepgram import options as deepgram_options
from bridge.deepgram.options import Options
from bridge.errors import ConfigError
from bridge.redaction.rules import KINDS, Rules

log = logging.getLogger("bridge.call")


@dataclass(frozen=True, slots=True)
class CallOptions:
    """What calls may ask for."""

    options: Options
    """The operator's."""
    overrides: frozenset[str] = frozenset()
    """Names that a call may set."""
    redaction: Rules = Rules()
    """What is taken out of all transcripts; a call may add to it."""

    def of(self, call_id: str, parameters: Mapping[str, str]) -> Options:
        """The call's own, or the operator's where they cannot be granted: no call fails over an option."""
        try:
            own = deepgram_options.override(self.options, parameters, self.overrides)
        except ConfigError as error:
            log.warning("options of the call ignored", extra={"call_id": call_id, "reason": str(error)})
            return self.options
        for doubt in deepgram_options.doubts(own) if own.own else ():
            log.warning("options of the call may not work", extra={"call_id": call_id, "reason": doubt})
        return own

    def rules(self, call_id: str, names: Iterable[str]) -> Rules:
        """What is taken out of a call that asks for these; what is not known is nothing to take out."""
        names = list(names)
        rules = self.redaction.stricter(names)
        if unknown := set(names).difference(KINDS, rules.names):
            log.warning("nothing known to redact", extra={"call_id": call_id, "unknown": len(unknown)})
        return rules
