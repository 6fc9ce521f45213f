"""Authenticates carriers that sign nothing: by a secret that the owner sets on both sides."""

import base64
import hmac
import logging
from collections.abc import Callable, Sequence

from aiohttp import web

log = logging.getLogger("bridge.media")


def by_secret(secrets: Sequence[str], setting: str, header: str) -> Callable[[web.Request], None]:
    """A check for one of the secrets: in `header`, as `Authorization: Bearer`, after the path, or as `?token=`.

    `setting`: the setting with the secrets; without any, every upgrade is refused. Several: while one is replaced.
    """

    def authenticate(request: web.Request) -> None:
        _refuse_unless_set(secrets, setting)
        given = [
            request.headers.get(header),
            request.headers.get("Authorization", "").removeprefix("Bearer "),
            request.match_info.get("secret"),
            request.query.get("token"),
        ]
        if not any(_matches(secrets, text) for text in given if text):
            _log_refusal(setting)
            raise web.HTTPForbidden(text=f"the secret is missing, or is none of {setting}\n")

    return authenticate


def by_password(pairs: Sequence[str], setting: str) -> Callable[[web.Request], None]:
    """A check for one of the pairs `user:password` by HTTP Basic (RFC 7617); otherwise as `by_secret`."""

    def authenticate(request: web.Request) -> None:
        _refuse_unless_set(pairs, setting)
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(credentials.strip(), validate=True).decode()
        except ValueError:
            given = ""
        if scheme.lower() != "basic" or not _matches(pairs, given):
            _log_refusal(setting)
            raise web.HTTPUnauthorized(
                text=f"user and password are missing, or are none of {setting}\n",
                headers={"WWW-Authenticate": 'Basic realm="media", charset="UTF-8"'},
            )

    return authenticate


def _refuse_unless_set(secrets: Sequence[str], setting: str) -> None:
    if not any(secrets):
        log.warning("stream refused", extra={"reason": f"{setting} is not set", "remedy": f"set {setting}"})
        raise web.HTTPForbidden(text=f"set {setting} to take streams here\n")


def _matches(secrets: Sequence[str], given: str) -> bool:
    """Whether one matches; all are compared, each in constant time."""
    octets = given.encode("utf-8", "surrogateescape")
    return sum(hmac.compare_digest(secret.encode(), octets) for secret in secrets if secret) > 0


def _log_refusal(setting: str) -> None:
    log.warning("stream refused", extra={"reason": f"the upgrade bears none of {setting}"})
