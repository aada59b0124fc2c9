"""Draws pages: one frame, one style, strict headers; nothing is loaded from anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from crosstie.api.link import language, page_headers
from crosstie.api.sign.form import FIELD, Cookies, beyond
from crosstie.api.sign.words import WORDS

HERE = Path(__file__).parent
STYLE = (HERE / "sign.css").read_text("utf-8")
_PAGES = Environment(
    loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def page(request: Request, cookies: Cookies, name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """The page `<name>.html`. `values` are its own; every page has the words of its language and the form's mark.

    `next` among them is where the browser goes on to after its form.
    """
    chosen = language(request)
    other = "en" if chosen == "ar" else "ar"
    headers = page_headers(STYLE) | {"cache-control": "no-store"}
    if "passkey" in values:  # the one script of these pages
        headers["content-security-policy"] += "; script-src 'self'"
    if goal := beyond(values.get("next", "")):
        # browsers hold the redirects that follow a form against this, too
        policy = headers["content-security-policy"]
        headers["content-security-policy"] = policy.replace("form-action 'self'", f"form-action 'self' {goal}")
    response = HTMLResponse(status_code=status, headers=headers)
    drawn = _PAGES.get_template(f"{name}.html").render(
        lang=chosen,
        dir="rtl" if chosen == "ar" else "ltr",
        words=WORDS[chosen],
        style=STYLE,
        mark=cookies.mark(request, response),
        field=FIELD,
        other=other,
        turned=str(request.url.include_query_params(lang=other).replace(scheme="", netloc="")),
        **({"problem": None} | values),
    )
    response.body = drawn.encode()
    response.headers["content-length"] = str(len(response.body))
    return response
