"""`/oauth/authorize`: a person is asked on a plain page whether an app may act for him."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import AccessDeniedError, OAuth2Error
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from crosstie.access.oauth import address as addresses
from crosstie.access.oauth.ask import UNSPOKEN, Asks, Misdirected, Question
from crosstie.access.oauth.scopes import IDENTITY
from crosstie.access.session import SignedIn
from crosstie.api.link import language
from crosstie.api.oauth import wire
from crosstie.api.oauth.words import WORDS
from crosstie.api.operation import Handler
from crosstie.api.sign.door import Door
from crosstie.api.sign.draw import page
from crosstie.api.sign.form import address
from crosstie.errors import Forbidden, Problem

PATH = "/oauth/authorize"
#: the name of the two buttons
DECISION = "decision"
#: parameters that are looked at; others are passed over (RFC 6749 §3.1) and not carried along
ASKED = (
    "response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method", "nonce",
    "prompt", "max_age", "resource", "response_mode", *UNSPOKEN,
)  # fmt: skip


@dataclass(slots=True)
class Consent:
    """The page of one process."""

    door: Door
    asks: Asks

    async def show(self, request: Request) -> Response:
        """The question; whoever is not signed in signs in first."""
        try:
            sent = wire.once(request.scope["query_string"])
            return await self._ask(request, sent)
        except Misdirected as error:
            return self._dead_end(request, str(error))
        except OAuth2Error:
            return self._dead_end(request, "request")

    async def answer(self, request: Request) -> Response:
        """The answer, from the page's own form."""
        try:
            sent = await self.door.cookies.sent(request)
        except Forbidden as problem:
            return self._dead_end(request, "form", problem)
        decision = sent.pop(DECISION, "")
        try:
            return await self._ask(request, sent, decision)
        except Misdirected as error:
            return self._dead_end(request, str(error))

    async def _ask(self, request: Request, given: Mapping[str, str], decision: str = "") -> Response:
        sent = {name: given[name] for name in ASKED if name in given}
        client = await self.asks.client(sent)  # from here on the app may hear what is wrong
        try:
            question = await self.asks.question(client, sent)
            found = await self.door.current(request)
            if found is None or found.tenant_id != client.tenant_id or self._again(question, found, decision):
                return self._sign_in(question)
            possible = self.asks.possible(question, found)
            if decision == "deny":
                raise AccessDeniedError()
            if decision == "allow" or await self.asks.answered(question, found):
                return _to(await self.asks.allow(question, found))
            if "none" in question.prompts:
                raise OAuth2Error("The person must be asked.", error="consent_required")
        except OAuth2Error as error:
            return _to(self.asks.refused(sent, error))
        return self._page(request, question, found, possible)

    def _again(self, question: Question, found: SignedIn, decision: str) -> bool:
        """Whether the app wants the person to prove anew who he is."""
        return not decision and ("login" in question.prompts or question.stale(found))

    def _sign_in(self, question: Question) -> Response:
        """To the sign-in, and from there back to the question. The other sign-in of this browser is left alone."""
        if "none" in question.prompts:
            raise OAuth2Error("Nobody is signed in.", error="login_required")
        # once is enough: the question that is come back to asks for no further sign-in
        sent = dict(question.sent) | {"prompt": " ".join(sorted(question.prompts - {"login"}))}
        sent.pop("max_age", None)
        there = address("/login", {"next": address(PATH, sent), "tenant": question.client.slug, "again": "1"})
        response = RedirectResponse(there, 303)
        self.door.cookies.keep(response, None)
        return response

    def _page(self, request: Request, question: Question, found: SignedIn, possible: frozenset[str]) -> Response:
        words = WORDS[language(request)]
        response = page(
            request,
            self.door.cookies,
            "consent",
            say=words,
            app=_apart(question.client.name),
            firm=_apart(question.client.firm),
            who=_apart(found.person.email),
            does=[_worded(scope, words) for scope in sorted(possible)],
            host=_apart(addresses.origin(question.redirect_uri)),
            sent=question.sent,
            action=PATH,
        )
        # the answer to the form is a way to the app: browsers hold form-action against that, too
        allowed = f"form-action 'self' {addresses.origin(question.redirect_uri)}"
        policy = response.headers["content-security-policy"].replace("form-action 'self'", allowed)
        response.headers["content-security-policy"] = policy
        return response

    def _dead_end(self, request: Request, reason: str, problem: Problem | None = None) -> Response:
        """Nobody is sent anywhere; the person reads why."""
        words = WORDS[language(request)]
        status = 403 if problem or reason in ("pending", "suspended") else 400
        text = words[f"because_{reason}"]
        return page(request, self.door.cookies, "stuck", status, problem=text, say=words)


def _worded(scope: str, words: Mapping[str, Any]) -> tuple[str, str]:
    """A scope in words: what is done, and with which noun."""
    if scope == "*" or scope in IDENTITY:
        return words["scopes"][scope], ""
    noun, _, verb = scope.partition(":")
    return words["scopes"][verb], noun.replace("-", " ")


def _apart(text: str) -> str:
    """A name inside a sentence of either direction of writing (Unicode UAX 9: first strong isolate)."""
    return f"\u2068{text}\u2069"


def _to(where: str) -> Response:
    return Response(status_code=303, headers={"location": where, "cache-control": "no-store"})


def routes(consent: Consent) -> list[tuple[str, str, Handler]]:
    """Path, method, handler."""
    return [(PATH, "GET", consent.show), (PATH, "POST", consent.answer)]
