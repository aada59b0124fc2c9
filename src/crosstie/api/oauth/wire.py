"""The protocol's own forms: parameters sent once, answers that nobody keeps, errors as RFC 6749 writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error
from starlette.requests import Request

from crosstie.api import body
from crosstie.api.entry import JSON
from crosstie.kit import json
from crosstie.log.idempotency import Answer

FORM = "application/x-www-form-urlencoded"
LIMIT = 64 << 10
PRIVATE = JSON | {"cache-control": "no-store", "pragma": "no-cache"}


async def form(request: Request) -> dict[str, str]:
    """The fields of a form, each sent once (RFC 6749 §3.2). Raises InvalidRequestError."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != FORM:
        raise InvalidRequestError(f"Send the parameters as {FORM}.")
    return once(await body.read(request, LIMIT))


def once(query: bytes) -> dict[str, str]:
    """Parameters, each sent once; one without a value is as if it had not been sent (RFC 6749 §3.1)."""
    try:
        pairs = parse_qsl(query.decode(), errors="strict", max_num_fields=50)
    except ValueError:
        raise InvalidRequestError("The parameters cannot be read.") from None
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InvalidRequestError("A parameter was sent more than once.")
    if any("\0" in value for value in found.values()):
        raise InvalidRequestError("The character U+0000 is not accepted.")
    return found


def answer(document: Mapping[str, Any], status: int = 200) -> Answer:
    """A document that no cache may keep (RFC 6749 §5.1)."""
    return Answer(status, json.dumps(document), dict(PRIVATE))


def refusal(error: OAuth2Error) -> Answer:
    """An error as an answer (RFC 6749 §5.2)."""
    document = {"error": error.error, "error_description": error.get_error_description()}
    found = answer({name: value for name, value in document.items() if value}, error.status_code)
    if error.status_code == 401:
        found.headers["www-authenticate"] = f'Basic realm="crosstie", error="{error.error}"'
    return found
