"""Reads the settings from the environment.

Settings that only the bridge has begin with `BRIDGE_`; an unknown `BRIDGE_*` name stops the start, and so does a name
that resembles one of ours that is not set, because a misspelt setting that is ignored would be noticed only when it is
needed.
"""

import os
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from bridge import values
from bridge.config.named import named
from bridge.config.settings import Settings
from bridge.errors import ConfigError
from bridge.spelling import misspelt

_READERS = frozenset(("BRIDGE_URL", "BRIDGE_TOKEN"))
"""Ours and no settings: where programs that read the record, and the commands, find it; the server passes over them."""

_COMMON = frozenset(("HOST", "PORT", "DATABASE_URL"))
"""Names that so many programs have that nothing but a difference in case is taken for a mistake."""


def load(environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """The settings from an environment (by default the process's own), overridden by those in `given`.

    Raises ConfigError with one sentence per fault; it repeats no values, since they may be secrets.
    """
    settings, faults = examine(environment, **given)
    if faults:
        raise ConfigError("; ".join(faults))
    return settings


def examine(environment: Mapping[str, str] | None = None, **given: Any) -> tuple[Settings, list[str]]:
    """As `load`, but what cannot be meant is left out: the settings without it, and a sentence for each fault."""
    environment = os.environ if environment is None else environment
    known = {name.upper() for name in Settings.model_fields}
    names = environment.keys() - _READERS - (named(environment) - known)
    faults = list(misspelt(names, known, prefix="BRIDGE_", common=_COMMON))
    found = {name.lower(): value for name, value in environment.items() if name in known and values.trimmed(value)}
    found |= given
    while True:
        try:
            return Settings.model_validate(found), faults
        except ValidationError as error:
            faults += [_sentence(fault) for fault in error.errors()]
            wrong = {str(fault["loc"][0]) for fault in error.errors()}
            found = {name: value for name, value in found.items() if name not in wrong}


def _sentence(fault: Any) -> str:
    name = "_".join(str(part) for part in fault["loc"]).upper()
    said = _FORMS.get(fault["type"]) or fault["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{name}: {said[:1].lower()}{said[1:]}"


_FORMS = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number, with a point if it has decimals",
    "finite_number": "must be a number, with a point if it has decimals",
}
"""What to type, by pydantic's name of the fault."""
