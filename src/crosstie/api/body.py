"""Bodies of requests: bounded in size and time, JSON only, strict."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import ClientDisconnect, Request

from crosstie.errors import BadRequest, Fault, Invalid, MalformedJson, RequestTimeout, TooLarge, UnsupportedMedia
from crosstie.kit import json

LIMIT = 1 << 20
BULK_LIMIT = 8 << 20
SECONDS = 30.0
#: the ASGI extension by which our listener says that the whole body is there, and takes a whole answer
WHOLE = "crosstie.whole"
TYPES = ("application/json", "application/merge-patch+json", "application/cloudevents+json")


async def read(request: Request, limit: int = LIMIT) -> bytes:
    """The bytes of the body. Raises TooLarge beyond the limit, RequestTimeout where it comes too slowly."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise TooLarge(f"At most {limit} bytes are accepted here.")
    if WHOLE in request.scope.get("extensions", ()):  # it is here: neither to be gathered nor to be waited for
        message = await request.receive()
        if message["type"] != "http.request":
            raise BadRequest("The body ended early.")
        if len(message["body"]) > limit:
            raise TooLarge(f"At most {limit} bytes are accepted here.")
        return bytes(message["body"])
    return await _gathered(request, limit)


async def _gathered(request: Request, limit: int) -> bytes:
    chunks, size = [], 0
    try:
        async with asyncio.timeout(SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise TooLarge(f"At most {limit} bytes are accepted here.")
                chunks.append(chunk)
    except TimeoutError:
        raise RequestTimeout(f"The body must arrive within {SECONDS:.0f} seconds.") from None
    except ClientDisconnect:
        raise BadRequest("The body ended early.") from None
    return b"".join(chunks)


def expect_json(request: Request) -> None:
    """Raise UnsupportedMedia unless the body is plain JSON."""
    given = request.headers.get("content-type", "")
    kind, *parameters = [given] if given in TYPES else (part.strip().lower() for part in given.split(";"))
    if kind not in TYPES:
        raise UnsupportedMedia("Send JSON: Content-Type: application/json.")
    charset = next((p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")), "utf-8")
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMedia("Send JSON in UTF-8.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("Send the body without a content coding.")


def decode(body: bytes) -> Any:
    """The document of a body. Raises MalformedJson, or Invalid for values that JSON allows and we do not."""
    try:
        return json.loads(body)
    except json.BadJson as error:
        if error.pointer is not None:
            raise Invalid(
                "The body holds a value that is not accepted.", errors=[Fault(error.pointer, "value", error.message)]
            ) from None
        raise MalformedJson(f"The body is not well-formed JSON: {error.message}.") from None


async def document(request: Request, limit: int = LIMIT) -> tuple[bytes, Any]:
    """The body's bytes and document."""
    expect_json(request)
    found = await read(request, limit)
    return found, decode(found)
