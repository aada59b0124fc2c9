"""The transit engine of HashiCorp Vault and of OpenBao: it seals small values under keys that never leave it."""

from __future__ import annotations

import ssl
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

#: seconds that one request may take
LIMIT = 10.0


class TransitError(Exception):
    """The Vault refused or did not answer; the message says what to do."""


class Line:
    """Requests to one Vault. The token is read anew for each, so that an agent may replace it."""

    def __init__(self, url: str, token: Path, *, namespace: str = "", ca: Path | None = None) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._namespace = namespace
        self._tls = ssl.create_default_context(cafile=ca) if url.startswith("https://") else False

    async def renew(self) -> float:
        """Have the token live on; for how many seconds, 0 where that is for ever. Raises TransitError."""
        try:
            lease = field(await self.ask("POST", "/v1/auth/token/renew-self", {}), "auth")
        except TransitError as refused:
            if "not renewable" not in str(refused):
                raise
        else:
            return float(lease.get("lease_duration") or 0)
        ends = field(await self.ask("GET", "/v1/auth/token/lookup-self"), "data").get("ttl")
        if ends:
            raise TransitError(f"The token for {self._url} ends in {ends} s and cannot be renewed: give one that can.")
        return 0.0

    async def ask(self, method: str, path: str, sent: dict[str, str] | None = None) -> Any:
        """What the Vault answers. Raises TransitError."""
        headers = {"x-vault-token": self._token.read_text("utf-8").strip(), "x-vault-request": "true"}
        if self._namespace:
            headers["x-vault-namespace"] = self._namespace
        try:
            async with httpx2.AsyncClient(verify=self._tls, timeout=LIMIT, trust_env=False) as client:
                answer = await client.request(method, self._url + path, json=sent, headers=headers)
        except httpx2.HTTPError as error:
            raise TransitError(f"The Vault at {self._url} does not answer ({type(error).__name__}).") from error
        if answer.status_code != 200:
            raise TransitError(f"The Vault at {self._url} {_reason(answer)}")
        try:
            return answer.json()
        except ValueError as error:
            raise TransitError(f"What answers at {self._url} is no Vault.") from error


class Transit(Line):
    """One key of one engine."""

    def __init__(
        self, url: str, token: Path, *, mount: str, key: str, namespace: str = "", ca: Path | None = None
    ) -> None:
        super().__init__(url, token, namespace=namespace, ca=ca)
        self.name = f"{mount}/{key}"
        self._paths = {verb: f"/v1/{quote(mount)}/{verb}/{quote(key, safe='')}" for verb in ("encrypt", "decrypt")}

    async def encrypt(self, plain: bytes, bound: bytes) -> str:
        """Seal a value under the newest version of the key, to be opened with `bound` alone. Raises TransitError."""
        sent = {"plaintext": b64encode(plain).decode(), "associated_data": b64encode(bound).decode()}
        return str(field(await self.ask("POST", self._paths["encrypt"], sent), "data", "ciphertext"))

    async def decrypt(self, sealed: str, bound: bytes) -> bytes:
        """Open what `encrypt` sealed, under any version that the Vault still has. Raises TransitError."""
        sent = {"ciphertext": sealed, "associated_data": b64encode(bound).decode()}
        return b64decode(field(await self.ask("POST", self._paths["decrypt"], sent), "data", "plaintext"))


def field(document: Any, *path: str) -> Any:
    """A part of an answer. Raises TransitError where it is missing."""
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    if document is None:
        raise TransitError(f"The Vault's answer has no {path[-1]}.")
    return document


def _reason(answer: httpx2.Response) -> str:
    """What a refusal means. The Vault's own words name paths and causes, never secrets."""
    if answer.status_code == 503:
        return "is sealed or not active: unseal it."
    if answer.status_code == 403:
        return "refuses the token: renew it, or grant it what it needs on this path."
    if answer.status_code == 404:
        return "has no such engine or key: mount it, or correct CROSSTIE_VAULT_MOUNT and the path or key."
    try:
        words = "; ".join(map(str, answer.json()["errors"]))
    except (ValueError, LookupError, TypeError):
        words = "no reason given"
    return f"answers {answer.status_code}: {words[:200]}."
