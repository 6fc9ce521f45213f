"""Words that say what the number is that follows them; the nearest one counts. And dates as cards have them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bridge.audio import SAMPLE_RATE
from bridge.redaction.addresses import is_cue as is_mail
from bridge.redaction.numbers import runs
from bridge.redaction.spoken import words_of
from bridge.redaction.tokens import Token

LASTING = 30 * SAMPLE_RATE
"""Samples for which one counts."""

_REACH = 25  # words

_WORDS = {
    "card": "card cards visa mastercard amex maestro credit debit karte karten kreditkarte kartennummer "
    "kreditkartennummer tarjeta carte pan",
    "phone": "phone telephone mobile cell cellphone call calling reach ring dial callback text telefon telefonnummer "
    "handy handynummer rufnummer mobilnummer erreichen teléfono telefono móvil celular téléphone portable rappeler "
    "whatsapp fax",
    "cvc": "cvc cvv cvv2 cvc2 cv2 cvn security verification prüfziffer prüfnummer kartenprüfnummer sicherheitscode "
    "sicherheitsnummer seguridad sécurité cryptogramme",
    "expiry": "expiry expires expire expiration expiring exp gültig ablaufdatum vencimiento caducidad caduca vence "
    "expire",
    "other": "order reference ref account booking room invoice tracking policy ticket reservation confirmation serial "
    "case member membership customer zip postcode extension flight part model isbn parcel barcode social insurance "
    "iban sort routing passport licence license claim contract version year years bestellnummer bestellung rechnung "
    "rechnungsnummer kundennummer konto kontonummer auftrag auftragsnummer sendungsnummer zimmer pedido factura "
    "cuenta habitación reserva commande facture compte chambre dossier imei meter counter chapter page amount total",
}
_KIND_OF = {word: kind for kind, words in _WORDS.items() for word in words.split()}

_MONTHS = words_of(
    """
    january february march april may june july august september october november december januar februar märz mai
    juni juli oktober dezember enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre
    diciembre janvier février mars avril juin juillet août septembre octobre novembre décembre
    """
)
_STROKE = re.compile(r"(0?[1-9]|1[0-2])/(\d{2}|20\d{2})")


class Cue(NamedTuple):
    """The last one that was heard."""

    kind: str
    at: int
    """In samples of the call."""


class Date(NamedTuple):
    """A month and a year, or one of them."""

    first: int
    last: int
    named: bool
    """By the name of the month."""


def kind_of(word: str) -> str | None:
    """What a bare word says about the number after it."""
    return _KIND_OF.get(word) or ("email" if is_mail(word) else None)


def last_cue(tokens: Iterable[Token], before: Cue | None) -> Cue | None:
    """The last one among these tokens, or the one before them."""
    found = before
    for token in tokens:
        if kind := kind_of(token.bare):
            found = Cue(kind, token.span.end)
    return found


def nearest(words: Sequence[str], place: int, before: Cue | None, at: int) -> str | None:
    """The kind of the last one before a place. `before`: the last one before all the words; `at`: of the place."""
    for word in reversed(words[max(0, place - _REACH) : place]):
        if kind := kind_of(word):
            return kind
    return before.kind if before and at - before.at < LASTING else None


def dates(words: Sequence[str]) -> Iterator[Date]:
    """Months with years, and `04/27`."""
    for place, word in enumerate(words):
        if _STROKE.fullmatch(word):
            yield Date(place, place, False)
        elif word in _MONTHS:
            following = runs(words[place + 1 : place + 6], frozenset())
            if following and following[0].first <= 1 and len(following[0].digits) in (2, 4):
                yield Date(place, place + 1 + following[0].last, True)
