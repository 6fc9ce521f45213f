"""Languages, and which of Deepgram's models and options go with which.

Only what cannot work is known here: a model that is not listed may be new, or trained for one customer.
Sources: https://developers.deepgram.com/docs/models-languages-overview, the pages on language prompting and redaction
beside it, and the changelog up to October 2026.
"""

import re

from bridge.deepgram import flux_options

MULTI = "multi"
"""The language that stands for several in one call."""

_TAG = re.compile(r"(?P<code>[A-Za-z]{2,3})(-[A-Za-z0-9]{2,8})*")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CODES = _words(
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en "
    "eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv "
    "ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne "
    "ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss "
    "st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
"""The codes of two letters of ISO 639-1. Those of three letters are too many to list."""

_MEANT = {"jp": "ja", "cn": "zh", "gr": "el", "cz": "cs", "dk": "da", "kp": "ko", "ua": "uk", "gb": "en", "us": "en"}
"""Codes of countries that are no languages, with the language that they are taken for."""

FAMILIES = ("nova-3", "nova-2", "nova", "enhanced", "base", "whisper")
_OLD = ("general", "meeting", "phonecall", "finance", "conversationalai", "voicemail", "video", "custom")
"""Models that may be named without their family."""

_US_ENGLISH = frozenset(
    f"{family}-{use}"
    for family, uses in {
        "nova-2": "meeting phonecall finance conversationalai voicemail video medical drivethru automotive atc",
        "nova": "phonecall medical",
        "enhanced": "meeting phonecall finance",
        "base": "meeting phonecall finance conversationalai voicemail video",
    }.items()
    for use in uses.split()
)
"""Models that know `en` and `en-US` alone."""

_NOVA_2 = _words("bg ca zh cs da nl en et fi fr de el hi hu id it ja ko lv lt ms no pl pt ro ru sk es sv th tr uk vi")
"""The languages of nova-2, to which none are added any more."""

_HINTS = _words(
    "af ar be bn bs bg ca zh hr cs da nl en et fi fr gl de el gu he hi hu id it ja kn ko lv lt mk ms mr no fa pl pt ro "
    "ru sr sk sl es sv tl ta te th tr uk vi xh zu"
)
"""The languages that nova-3 can be told to expect; more may be added."""

_NUMBERS = frozenset(("true", "numbers", "aggressive_numbers"))
_NUMBERED = _words("da nl en fr de it no pl pt es sv")
"""The languages in which numbers are redacted; more may be added."""
_NEVER_LIVE = frozenset(("cardinal", "ordinal", "percent"))


def base(language: str) -> str:
    """The language without its region and script."""
    return language.partition("-")[0].lower()


def fault_in_language(language: str) -> str | None:
    """What is wrong with a language's tag, if anything is."""
    if language == MULTI:
        return None
    tag = _TAG.fullmatch(language.replace("_", "-"))
    if not tag:
        return "must be a language's tag such as en, en-US or es-419, or multi"
    code = tag["code"].lower()
    if len(code) == 2 and code not in _CODES:
        return f"is not a code of ISO 639{f' (did you mean {_MEANT[code]}?)' if code in _MEANT else ''}"
    if "_" in language:
        return f"wants a hyphen: {tag[0]}"
    return None


def fault_in_model(model: str) -> str | None:
    """What is wrong with a model's name, if anything is."""
    if flux_options.is_flux(model):
        return flux_options.fault_in_model(model)
    if model == "nova-3-phonecall":
        return "there is no nova-3-phonecall; use nova-3, or nova-2-phonecall, which knows English alone"
    return None


def family(model: str) -> str | None:
    """The family of a model; None: none that is known."""
    return next((name for name in FAMILIES if model == name or model.startswith(f"{name}-")), None)


def is_known(model: str) -> bool:
    """Whether a model is of a family that Deepgram has, or is named by its id."""
    return model in (*_OLD, *flux_options.MODELS) or bool(_UUID.fullmatch(model)) or family(model) is not None


def fault_in_pair(model: str, language: str) -> str | None:
    """Why a model does not know a language, if it surely does not."""
    if model in _US_ENGLISH and language.lower() not in ("en", "en-us"):
        return f"{model} knows en and en-US alone"
    if model == "nova-3-medical" and language != MULTI and base(language) != "en":
        return f"{model} knows English and multi alone"
    if language == MULTI and (model in _OLD or family(model) in ("nova", "enhanced", "base")):
        return f"language=multi needs nova-3 or nova-2, and model is {model}"
    if model in ("nova-2", "nova-2-general") and language != MULTI and base(language) not in _NOVA_2:
        return f"{model} does not know the language {base(language)}; nova-3 knows more"
    return None


def fault_in_hint(hint: str) -> str | None:
    """What is wrong with a language that nova-3 is told to expect."""
    return "must be a single language" if hint == MULTI else fault_in_language(hint)


def may_be_expected(hint: str) -> bool:
    """Whether nova-3 is known to take a language as a hint; others get every call refused."""
    return base(hint) in _HINTS


def fault_in_redaction(kind: str, language: str) -> str | None:
    """Why something is not redacted in a language, if it surely is not."""
    if kind in _NEVER_LIVE:
        return f"redact={kind} is not for live audio"
    if kind in _NUMBERS or kind == "false" or language == MULTI or base(language) == "en":
        return None
    return f"redact={kind} redacts English alone, and language is {language}"


def doubt_of_redaction(kind: str, language: str) -> str | None:
    """What may not be redacted, if that is not known for certain."""
    if kind == "false" or base(language) == "en":
        return None
    if kind not in _NUMBERS:
        return f"redact={kind} redacts English alone, and other languages are spoken with language=multi"
    if language != MULTI and base(language) not in _NUMBERED:
        return f"redact={kind} is not known to redact anything in {language}"
    return None
