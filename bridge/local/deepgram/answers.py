"""What every answer of the server carries, and how it says no."""

import logging

from aiohttp import web

from bridge.local.deepgram.messages import refusal_body
from bridge.local.deepgram.request import Refusal

log = logging.getLogger(__name__)

_LONGEST = 1000
"""Characters of a header: clients take lines of some thousand octets."""


class Answers:
    """The answers of one server, which stands for one project."""

    def __init__(self, project_id: str) -> None:
        self.project_id = project_id

    def headers(self, request_id: str) -> dict[str, str]:
        """Those of every answer: support asks for them first, and the Rust SDK takes no socket without an id."""
        return {"dg-request-id": request_id, "dg-project-id": self.project_id}

    def refusal(self, request_id: str, refusal: Refusal) -> web.Response:
        """No, in Deepgram's shape."""
        log.info("refused", extra={"request_id": request_id, "status": refusal.status})
        # The message may quote the query: nothing of it may break out of the header, nor fill it.
        error = "".join(c if c.isascii() and c.isprintable() else "?" for c in refusal.message[:_LONGEST])
        return web.json_response(
            refusal_body(refusal, request_id),
            status=refusal.status,
            headers={**self.headers(request_id), "dg-error": error},
        )
