"""Forms and cookies of pages: bounded, bound to the browser that was given the form, and only within this site."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from hashlib import sha256
from hmac import digest
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from crosstie.api import body
from crosstie.errors import BadRequest, Forbidden, UnsupportedMedia
from crosstie.kit import crypto
from crosstie.log.unit import Cipher

FORM = "application/x-www-form-urlencoded"
LIMIT = 64 << 10
#: the hidden field that shows that a form came from here
FIELD = "form"
#: characters of a path to go on to: an app's question may carry a long state
LONGEST = 16_000
LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]*")


class Cookies:
    """The two cookies of a browser: who is signed in, and a random seed to which its forms are bound."""

    def __init__(self, cipher: Cipher, address: str) -> None:
        self._key = cipher.derive("forms")
        self._secure = address.startswith("https://")
        prefix = "__Host-crosstie" if self._secure else "crosstie"
        self.signed_in = f"{prefix}-session"
        self._seed = f"{prefix}-form"

    def session(self, request: Request) -> str | None:
        """The secret of the sign-in that the browser has."""
        return request.cookies.get(self.signed_in)

    def keep(self, response: Response, token: str | None) -> None:
        """Give the browser a sign-in, or with None take it away. It goes when the browser closes."""
        self._set(response, self.signed_in, token or "", age=None if token else 0)

    def mark(self, request: Request, response: Response | None = None) -> str:
        """The hidden field of forms for this browser; a browser without a seed gets one with the response."""
        seed = self._seeded(request)
        if not SEED.fullmatch(request.cookies.get(self._seed, "")) and response is not None:
            self._set(response, self._seed, seed)
        return digest(self._key, seed.encode(), sha256).hex()

    def _seeded(self, request: Request) -> str:
        kept = request.cookies.get(self._seed, "")
        if SEED.fullmatch(kept):
            return kept
        state: dict[str, str] = request.scope["state"]
        return state.setdefault("form_seed", secrets.token_hex(16))

    def _set(self, response: Response, name: str, value: str, age: int | None = None) -> None:
        response.set_cookie(name, value, max_age=age, path="/", secure=self._secure, httponly=True, samesite="lax")

    async def sent(self, request: Request) -> dict[str, str]:
        """The fields of a form that this browser was given here.

        Raises UnsupportedMedia for another body, TooLarge, BadRequest for one that no page of ours has, and Forbidden
        for a form that came from elsewhere.
        """
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind != FORM:
            raise UnsupportedMedia(f"The form is sent as {FORM}.")
        raw = await body.read(request, LIMIT)
        try:
            pairs = parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=100)
        except ValueError:
            raise BadRequest("The form has too many fields.") from None
        found = {name: value.replace("\0", "") for name, value in pairs}
        elsewhere = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
        if elsewhere or not crypto.same(found.pop(FIELD, ""), self.mark(request)):
            raise Forbidden("The form is too old or came from elsewhere: load the page again.")
        return found


SOURCE = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?|[a-z][a-z0-9+.-]+:")
SEED = re.compile(r"[0-9a-f]{32}")


def local(path: str | None, otherwise: str = "/account") -> str:
    """A path of this site to go on to, and nothing else: no other host, scheme, control character or backslash."""
    return path if path and len(path) <= LONGEST and LOCAL.fullmatch(path) else otherwise


def address(path: str, values: Mapping[str, str]) -> str:
    """A path with a query of the values that are not empty."""
    query = urlencode({name: value for name, value in values.items() if value})
    return f"{path}?{query}" if query else path


def onto(path: str) -> RedirectResponse:
    """Go on to another page of this site."""
    return RedirectResponse(path, 303, headers={"cache-control": "no-store"})


def beyond(next: str) -> str:
    """The source, as a policy names it, that a sign-in for an app leads to in the end: the app's own address."""
    path, _, query = next.partition("?")
    if path != "/oauth/authorize":
        return ""
    target = urlsplit(dict(parse_qsl(query)).get("redirect_uri", ""))
    web = target.scheme in ("http", "https")
    found = f"{target.scheme}://{target.netloc}" if web else f"{target.scheme}:"
    return found if SOURCE.fullmatch(found) else ""
