"""Words for digits, in English, German, Spanish and French, and the words that stand between, before and after them.

Of a language that is not known, and where several are spoken, the words of all are understood, but for those that mean
something else in English.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache

Table = Mapping[str, list[tuple[tuple[str, ...], str]]]
"""By their first word: phrases, the longest first, and the digits that they say."""


def words_of(text: str) -> frozenset[str]:
    """The words of a list."""
    return frozenset(text.split())


LANGUAGES = frozenset(("en", "de", "es", "fr"))

_ENGLISH = """
zero=0 nought=0 naught=0 nil=0 oh=0 o=0 one=1 two=2 three=3 four=4 five=5 six=6 seven=7 eight=8 nine=9 niner=9 ten=10
eleven=11 twelve=12 thirteen=13 fourteen=14 fifteen=15 sixteen=16 seventeen=17 eighteen=18 nineteen=19
"""
_ENGLISH_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_GERMAN = """
null=0 eins=1 zwei=2 zwo=2 drei=3 vier=4 fünf=5 fuenf=5 sechs=6 sieben=7 acht=8 neun=9 zehn=10 elf=11 zwölf=12 zwoelf=12
dreizehn=13 vierzehn=14 fünfzehn=15 fuenfzehn=15 sechzehn=16 siebzehn=17 achtzehn=18 neunzehn=19
"""
_GERMAN_TENS = "zwanzig dreissig vierzig fünfzig sechzig siebzig achtzig neunzig"
_GERMAN_UNITS = "ein zwei drei vier fünf sechs sieben acht neun"
_SPANISH = """
cero=0 uno=1 una=1 dos=2 tres=3 cuatro=4 cinco=5 seis=6 siete=7 ocho=8 nueve=9 diez=10 once=11 doce=12 trece=13
catorce=14 quince=15 dieciséis=16 dieciseis=16 diecisiete=17 dieciocho=18 diecinueve=19 veinte=20 veintiuno=21
veintidós=22 veintidos=22 veintitrés=23 veintitres=23 veinticuatro=24 veinticinco=25 veintiséis=26 veintiseis=26
veintisiete=27 veintiocho=28 veintinueve=29 cien=100
"""
_SPANISH_TENS = "treinta cuarenta cincuenta sesenta setenta ochenta noventa"
_FRENCH = """
zéro=0 zero=0 un=1 une=1 deux=2 trois=3 quatre=4 cinq=5 six=6 sept=7 huit=8 neuf=9 dix=10 onze=11 douze=12 treize=13
quatorze=14 quinze=15 seize=16 septante=70 huitante=80 nonante=90
"""
_FRENCH_TENS = {"vingt": 20, "trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60}

_UNITS = frozenset("123456789")

_ENGLISH_OTHERWISE = words_of("once elf cent")
"""Mean something else in English, too often."""

TIMES = {"double": 2, "triple": 3, "treble": 3, "quadruple": 4, "doble": 2, "doppel": 2}
"""What is said for the same digit several times."""
LETTERS = frozenset(("o", "oh"))
"""Digits beside others only."""
HUNDREDS = frozenset(("hundred", "hundert"))
THOUSANDS = words_of(
    """
    thousand million billion tausend mil mille millón millones million millionen milliarde mille millions
    """
)
AND = frozenset(("and", "und"))
FILLERS = words_of(
    """
    um uh er erm ah eh mm hm hmm mhm mm-hmm uh-huh and then dash hyphen space comma so okay ok yeah yes yep right
    next like that's let's see is it's again äh ähm hm und dann strich ja also y luego guion guión coma sí eh pues
    et puis tiret virgule oui euh alors the are - – — / + plus minus
    """
)
"""What people say between the digits that they read."""
GROUPS = words_of("first next last final")
COUNTS = words_of("two three four five six eight digits numbers ones")
"""After one of those, how many digits are to come."""
BETWEEN = FILLERS | GROUPS | LETTERS | TIMES.keys()
"""All that does not end digits."""
UNITS = words_of(
    """
    dollar dollars cent cents euro euros pound pounds pence bucks percent % degrees o'clock am pm a.m p.m hours hour
    minute minutes second seconds day days night nights week weeks month months year years mile miles metre metres
    meters kilometers kilometres km kg kilos people persons guests items pieces units boxes times points gigabytes
    megabytes gb mb watts volts prozent uhr stunden minuten tage nächte wochen jahre personen stück grad franken por
    dólares pesos horas minutos días noches semanas meses años personas heures jours nuits semaines mois ans
    personnes francs square percentage feet foot inches inch pounds yen rupees
    """
)
"""What a number counts, after it."""


@cache
def table(languages: frozenset[str]) -> Table:
    """The phrases of these languages, by their codes; of all that there are, if none of them is known."""
    known = languages & LANGUAGES
    phrases: dict[tuple[str, ...], str] = {}
    for language in sorted(known or LANGUAGES, key=lambda code: code != "en"):
        for words, digits in _PHRASES[language]():
            if (known or words[0] not in _ENGLISH_OTHERWISE) and (len(known) < 2 or _may(words, language, known)):
                phrases.setdefault(words, digits)
    found: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for words, digits in phrases.items():
        found.setdefault(words[0], []).append((words, digits))
    return {first: sorted(those, key=lambda phrase: -len(phrase[0])) for first, those in found.items()}


def _may(words: tuple[str, ...], language: str, known: frozenset[str]) -> bool:
    return language == "en" or "en" not in known or words[0] not in _ENGLISH_OTHERWISE


def _listed(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    for pair in text.split():
        word, _, digits = pair.partition("=")
        yield (word,), digits


def _english() -> Iterator[tuple[tuple[str, ...], str]]:
    yield from _listed(_ENGLISH)
    units = [(words[0], digit) for words, digit in _listed(_ENGLISH) if digit in _UNITS]
    for value, tens in enumerate(_ENGLISH_TENS.split(), 2):
        yield (tens,), f"{value}0"
        for word, digit in units:
            yield (tens, word), f"{value}{digit}"


def _german() -> Iterator[tuple[tuple[str, ...], str]]:
    yield from _listed(_GERMAN)
    for value, tens in enumerate(_GERMAN_TENS.split(), 2):
        for spelled in {tens, tens.replace("ü", "ue")}:
            yield (spelled,), f"{value}0"
            for unit, word in enumerate(_GERMAN_UNITS.split(), 1):
                for first in {word, word.replace("ü", "ue")}:
                    yield (f"{first}und{spelled}",), f"{value}{unit}"


def _spanish() -> Iterator[tuple[tuple[str, ...], str]]:
    yield from _listed(_SPANISH)
    units = [(words[0], digit) for words, digit in _listed(_SPANISH) if digit in _UNITS]
    for value, tens in enumerate(_SPANISH_TENS.split(), 3):
        yield (tens,), f"{value}0"
        for word, digit in units:
            yield (tens, "y", word), f"{value}{digit}"


def _french() -> Iterator[tuple[tuple[str, ...], str]]:
    yield from _listed(_FRENCH)
    small = {words[0]: int(digits) for words, digits in _listed(_FRENCH) if int(digits) < 17}
    teens: dict[tuple[str, ...], int] = {("dix", word): 10 + small[word] for word in ("sept", "huit", "neuf")}
    yield from ((words, str(value)) for words, value in teens.items())
    below_twenty: dict[tuple[str, ...], int] = {(word,): value for word, value in small.items() if value}
    below_twenty.update(teens)
    for word, value in _FRENCH_TENS.items():
        yield (word,), str(value)
        for words, more in below_twenty.items():
            if more < 10 or word == "soixante":
                yield (word, *words), str(value + more)
                yield (word, "et", *words), str(value + more)
    for eighty in ("vingt", "vingts"):
        yield ("quatre", eighty), "80"
        for words, more in below_twenty.items():
            yield ("quatre", eighty, *words), str(80 + more)


_PHRASES: Mapping[str, Callable[[], Iterator[tuple[tuple[str, ...], str]]]] = {
    "en": _english,
    "de": _german,
    "es": _spanish,
    "fr": _french,
}
