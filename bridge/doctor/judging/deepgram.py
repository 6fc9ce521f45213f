"""What Deepgram says of the key, the options and the balance.

Sources: https://developers.deepgram.com/docs/errors, reference/manage/billing/list
"""

import json
from collections.abc import Iterable
from typing import Any

from bridge.deepgram.messages import Refusal
from bridge.doctor.finding import Finding, broken, doubt, fine, skipped
from bridge.doctor.judging.network import Answer, unreached
from bridge.failure import Failure, read
from bridge.text import plain

LISTEN, BALANCE = "deepgram", "deepgram.balance"

_LOW = 5.0
"""US dollars: some twenty hours of calls on nova-3."""


def listening(refusal: Refusal | None, origin: str, asked: str, *, key_is_known: bool = False) -> Finding:
    """How a real handshake went; None: well. `asked`: the model, or what else was asked for. `key_is_known`: Deepgram
    has said so elsewhere."""
    if refusal is None:
        return fine(LISTEN, f"{origin} takes the key, and hears {asked}")
    if refusal.status is None:
        return broken(LISTEN, *unreached(read(refusal.reason), origin, "DEEPGRAM_URL"))
    status = refusal.status
    match status:
        case 401 if key_is_known:
            said = f"the key at {origin} may not transcribe (401)"
            return broken(LISTEN, said, "make a key of the role Member at console.deepgram.com, set DEEPGRAM_API_KEY")
        case 401:
            remedy = "copy it whole, or make another at console.deepgram.com (API Keys), and set DEEPGRAM_API_KEY"
            return broken(LISTEN, f"{origin} refuses the key (401)", remedy)
        case 402:
            said = f"the project of the key has no credit at {origin} (402)"
            return broken(LISTEN, said, "pay in at console.deepgram.com (Billing); audio is kept until then")
        case 403:
            remedy = "choose another model in DEEPGRAM_OPTIONS, or have Deepgram open it for the project"
            return broken(LISTEN, f"the project of the key may not use {asked} at {origin} (403)", remedy)
        case 407:
            return broken(LISTEN, *unreached(Failure("proxy", "status 407"), origin, "DEEPGRAM_URL"))
        case 429:
            remedy = "wait, or have Deepgram raise the limit of calls at once of the project"
            return doubt(LISTEN, f"{origin} takes no more requests for now (429)", remedy)
        case 404 | 405:
            return broken(LISTEN, f"no Deepgram answers at {origin} ({status})", _ANOTHER)
        case _ if status < 400:
            return broken(LISTEN, f"another server answers at {origin} ({status})", _ANOTHER)
        case _ if status >= 500:
            remedy = "see status.deepgram.com; calls go on, and their audio is kept until it works"
            return broken(LISTEN, f"{origin} is failing ({status})", remedy)
        case _:
            remedy = (
                "correct DEEPGRAM_OPTIONS: the model, its languages and its parameters are at developers.deepgram.com"
            )
            return broken(
                LISTEN, f"{origin} refuses the request, so that no call is heard: {plain(refusal.reason)}", remedy
            )


_ANOTHER = "correct DEEPGRAM_URL: wss://api.deepgram.com, wss://api.eu.deepgram.com, or your own server"


def is_known(answer: Answer | Failure) -> bool:
    """Whether `GET /v1/auth/token` says that the key is one."""
    return isinstance(answer, Answer) and answer.status == 200


def projects(answer: Answer | Failure) -> list[str]:
    """The ids of the key's projects, as `GET /v1/projects` lists them."""
    listed = _listed(answer, "projects")
    return [each["project_id"] for each in listed if isinstance(each.get("project_id"), str)]


def balance(answers: Iterable[Answer | Failure], origin: str) -> Finding:
    """`answers`: of `GET /v1/projects/{id}/balances`, for each project; none where there are no projects to be seen."""
    entries, readable = [], False
    for answer in answers:
        readable = readable or (isinstance(answer, Answer) and answer.status == 200)
        entries += _listed(answer, "balances")
    if not readable:
        return skipped(BALANCE, f"the key may not read the balance at {origin}; one of an owner or administrator may")
    amounts = [
        float(entry["amount"])
        for entry in entries
        if type(entry.get("amount")) in (int, float) and str(entry.get("units", "usd")).lower() == "usd"
    ]
    if not amounts:
        return skipped(BALANCE, f"{origin} tells no balance in US dollars")
    left = sum(amounts)
    if left < _LOW:
        said = f"the balance at {origin} is {left:.2f} US dollars"
        remedy = (
            "pay in at console.deepgram.com (Billing), unless the project pays afterwards: at 0 it refuses all calls"
        )
        return doubt(BALANCE, said, remedy)
    return fine(BALANCE, f"the balance at {origin} is {left:.2f} US dollars")


def _listed(answer: Answer | Failure, name: str) -> list[dict[str, Any]]:
    """The objects of a list in a JSON answer; none in any other."""
    if isinstance(answer, Failure) or answer.status != 200:
        return []
    try:
        found = json.loads(answer.body).get(name)
    except (ValueError, RecursionError, AttributeError):
        return []
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def vosk(refusal: Refusal | None, origin: str) -> Finding:
    """How a handshake with a Vosk server went."""
    if refusal is None:
        return fine(LISTEN, f"the Vosk server at {origin} opens a socket")
    if refusal.status is None:
        return broken(LISTEN, *unreached(read(refusal.reason), origin, "BRIDGE_VOSK_URL"))
    return broken(LISTEN, f"no Vosk server answers at {origin} ({refusal.status})", "correct BRIDGE_VOSK_URL")
