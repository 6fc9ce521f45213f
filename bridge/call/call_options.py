"""Which options a call is transcribed with: the operator's, and over them the call's own."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.deepgram import options as deepgram_options
from bridge.deepgram.options import Options
from bridge.errors import ConfigError

log = logging.getLogger("bridge.call")


@dataclass(frozen=True, slots=True)
class CallOptions:
    """What calls may ask for."""

    options: Options
    """The operator's."""
    overrides: frozenset[str] = frozenset()
    """Names that a call may set."""

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
