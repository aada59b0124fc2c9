"""Draws the pages of the sandbox, in English and Arabic, without scripts; nothing is loaded from anywhere."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from crosstie.sandbox.pages.words import WORDS

HERE = Path(__file__).parent
STYLE = (HERE / "page.css").read_text("utf-8")
DIGEST = b64encode(sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{DIGEST}'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
PAGES = (("webhooks", "/"), ("services", "/services"), ("mail", "/mail"), ("story", "/story"))
#: seconds after which a page that is followed is loaded again
FOLLOW = 2
_PAGES = Environment(
    loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def draw(request: Request, name: str, *, following: bool = False, **values: Any) -> Response:
    """The page `<name>.html`. One that is followed is loaded again and again, until the reader stops that."""
    language = _language(request)
    followed = request.query_params.get("follow", "1" if following else "") == "1"
    other = "en" if language == "ar" else "ar"
    drawn = _PAGES.get_template(f"{name}.html").render(
        lang=language,
        dir="rtl" if language == "ar" else "ltr",
        words=WORDS[language],
        style=STYLE,
        name=name,
        pages=PAGES,
        other=other,
        turned=f"?lang={other}",
        followed=followed,
        **values,
    )
    return HTMLResponse(drawn, headers=HEADERS | ({"refresh": str(FOLLOW)} if followed else {}))


def _language(request: Request) -> str:
    asked = [request.query_params.get("lang", "")]
    asked += [part.strip()[:2].lower() for part in request.headers.get("accept-language", "").split(",")]
    return next((each for each in asked if each in WORDS), "en")


def formed(request: Request) -> bool:
    """Whether it comes from a form."""
    return request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


def foreign(request: Request) -> bool:
    """Whether a page of another origin asks for it."""
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")


def back(path: str, request: Request) -> Response:
    """To a page, in the language it had."""
    language = request.query_params.get("lang")
    return RedirectResponse(f"{path}?lang={language}" if language in ("en", "ar") else path, 303)


def plain(value: Any, status: int = 200) -> Response:
    """JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")
