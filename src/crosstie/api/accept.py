"""Content negotiation and conditional requests: what the Accept, If-Match and If-None-Match headers mean."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=512)
def accepts(header: str, media: str) -> bool:
    """Whether an Accept header allows a media type (RFC 9110 §12.5.1): the most specific range decides."""
    kind = media.split("/", maxsplit=1)[0]
    best, quality = -1, 0.0
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        rank = {media: 2, f"{kind}/*": 1, "*/*": 0}.get(name, -1)
        if rank > best:
            best, quality = rank, _quality(parameters)
    return quality > 0


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 1.0
    return 1.0


def names(header: str, tag: str, *, weak: bool) -> bool:
    """Whether a list of entity tags names this one (RFC 9110 §8.8.3.2), by the weak or the strong comparison."""
    if header.strip() == "*":
        return True
    tags = [part.strip() for part in header.split(",")]
    return tag in ([each.removeprefix("W/") for each in tags] if weak else tags)
