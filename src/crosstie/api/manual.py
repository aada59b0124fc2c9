"""The page behind each problem's `type`: what it means and what to do, rendered from docs/errors/*.md."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt
from starlette.requests import Request

from crosstie.api.operation import Handler
from crosstie.errors import ConfigurationError, NotFound, problems
from crosstie.log.idempotency import Answer

STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.6 system-ui,sans-serif;max-width:44rem;margin:3rem auto;"
    "padding:0 1rem}code{font-family:ui-monospace,monospace;font-size:.9em}pre{overflow:auto;padding:1rem;"
    "border:1px solid #8884;border-radius:.4rem}"
)
_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "cache-control": "public, max-age=3600",
    "referrer-policy": "no-referrer",
}


def folder() -> Path:
    """Where the pages lie: in the package, or in the documentation of a checkout."""
    here = Path(__file__).resolve().parents[1]
    for found in (here / "docs" / "errors", here.parents[1] / "docs" / "errors"):
        if found.is_dir():
            return found
    raise ConfigurationError("The error pages are missing: reinstall Crosstie.")


def routes() -> list[tuple[str, str, Handler]]:
    """The list of all problems, and the page of each."""
    codes = sorted({problem.code for problem in problems()})
    titles = {problem.code: problem.title() for problem in problems()}

    async def index(request: Request) -> Answer:
        items = "".join(f'<li><a href="errors/{c}"><code>{c}</code></a> {escape(titles[c])}</li>' for c in codes)
        return _page("Problems", f"<h1>Problems</h1><ul>{items}</ul>")

    async def one(request: Request) -> Answer:
        code = request.path_params["code"]
        if code not in titles:
            raise NotFound("There is nothing at this address.")
        return _page(titles[code], _rendered(code))

    return [("/docs/errors", "GET", index), ("/docs/errors/{code}", "GET", one)]


@cache
def _rendered(code: str) -> str:
    text = (folder() / f"{code}.md").read_text("utf-8")
    return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))


def _page(title: str, body: str) -> Answer:
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>{body}</body></html>'
    )
    return Answer(200, page.encode(), HEADERS)
