"""Messages by providers over HTTP."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from crosstie.kit import clock, json, webhook
from crosstie.kit.fetch import Fetcher, Unanswered, Unfetched
from crosstie.modules.notifications.address import MOST, segments
from crosstie.modules.notifications.carrier import Carrier, at
from crosstie.modules.notifications.letter import Letter, Verdict


class Http:
    """A provider that a carrier describes, with one tenant's account there."""

    def __init__(
        self, name: str, carrier: Carrier, base: str | None, options: Mapping[str, Any], secret: str, fetcher: Fetcher
    ) -> None:
        self.name = name
        self._carrier = carrier
        self._base = base
        self._options = {key: str(value) for key, value in options.items()}
        self._secret = secret
        self._fetcher = fetcher

    async def send(self, letter: Letter) -> Verdict:
        """One POST; what it is answered says what came of it."""
        carrier = self._carrier
        text = letter.content.short
        if letter.channel == "sms" and segments(text) > MOST:
            return Verdict(False, "too_long", f"a text message has at most {MOST} parts", final=True)
        values = _Values(
            self._options, to=letter.address, text=text, title=letter.content.subject, id=str(letter.id),
            prefix=carrier.prefix.get(letter.channel, ""),
        )  # fmt: skip
        try:
            secret = await bearer(self._secret, self._fetcher) if carrier.auth == "google" else self._secret
            body, kind = carrier.content(values)
            headers = {"content-type": kind, "idempotency-key": str(letter.id)}
            headers |= carrier.credential(values, secret)
            url = carrier.target(self._base, values)
            if carrier.auth == "signed":
                url, headers = letter.address, headers | webhook.headers([webhook.signer(secret)], str(letter.id), body)
            status, found = await self._fetcher.ask("POST", url, headers, body)
        except Unanswered as error:
            return Verdict(False, "no_answer", str(error)[:300], uncertain=True)
        except (Unfetched, ValueError) as error:
            return Verdict(False, "connect", str(error)[:300])
        return self._judged(status, found)

    def _judged(self, status: int, body: bytes) -> Verdict:
        carrier = self._carrier
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        code, id = at(document, carrier.code), at(document, carrier.id)
        if 200 <= status < 300 and (not carrier.good or code in carrier.good):
            return Verdict(True, provider_message_id=str(id)[:300] if id is not None else None, status=status)
        said = f"{status} {code if code is not None else ''}".strip()
        if code in carrier.final:
            return Verdict(False, carrier.final[code], said, final=True, status=status)
        return Verdict(False, f"http_{status}" if status >= 300 else "refused", said, status=status)


class _Values(dict[str, str]):
    """Values for braces; what nobody gave is empty."""

    def __init__(self, options: Mapping[str, str], **own: str) -> None:
        super().__init__(options, **own)

    def __missing__(self, name: str) -> str:
        return ""


SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="
#: service accounts → their token, and until when it is good
_TOKENS: dict[str, tuple[str, float]] = {}


async def bearer(account: str, fetcher: Fetcher) -> str:
    """A token for a service account (its JSON file), as Google's OAuth 2.0 server gives it for a signed assertion.

    Raises Unfetched, and ValueError for what is no such file.
    """
    kept, until = _TOKENS.get(account, ("", 0.0))
    if until > time.monotonic():
        return kept
    try:
        known = json.loads(account.encode())
        now = int(clock.now().timestamp())
        claims = {
            "iss": known["client_email"],
            "scope": SCOPE,
            "aud": known["token_uri"],
            "iat": now,
            "exp": now + 3600,
        }
        header = {"alg": "RS256", "typ": "JWT", "kid": known.get("private_key_id", "")}
        assertion = jwt.encode(header, claims, RSAKey.import_key(known["private_key"]))
    except (KeyError, TypeError, JoseError) as error:
        raise ValueError("the secret is no service account") from error
    headers = {"content-type": "application/x-www-form-urlencoded"}
    status, body = await fetcher.ask("POST", known["token_uri"], headers, GRANT + assertion.encode())
    token = at(json.loads(body), ("access_token",)) if status == 200 else None
    if not isinstance(token, str):
        raise Unfetched(f"no token: {status}")
    if len(_TOKENS) > 1000:
        _TOKENS.clear()
    _TOKENS[account] = token, time.monotonic() + 3000
    return token
