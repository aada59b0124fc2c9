"""A second implementation of what Vault and OpenBao answer: transit with versions, tokens that end, namespaces, a seal.

It encrypts in earnest (AES-256-GCM, one key per version) and refuses in Vault's own form, `{"errors": [...]}`.
"""

from __future__ import annotations

import asyncio
import math
import os
import secrets
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


@dataclass
class Key:
    """A named key: its versions from 1 on, and the oldest that still opens."""

    versions: list[bytes] = field(default_factory=lambda: [os.urandom(32)])
    oldest: int = 1


@dataclass
class Token:
    """A token: when it ends, for how long it is renewed, whether it may do anything but look at itself.

    One whose `ttl` is 0 never ends; it is not renewable, as the root token of a real server is not.
    """

    ends: float
    ttl: float
    allowed: bool = True
    renewable: bool = True


@dataclass
class Keeper:
    """The server as a test sees it; every field may be changed while it runs."""

    url: str = ""
    namespace: str = ""
    mount: str = "transit"
    sealed: bool = False
    keys: dict[str, Key] = field(default_factory=lambda: {"crosstie": Key()})
    tokens: dict[str, Token] = field(default_factory=dict)
    #: secrets of the key-value engine, mounted at `secret`: path → versions
    secrets: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    #: verbs that were asked, in order
    asked: list[str] = field(default_factory=list)
    #: how often somebody asked while it was sealed
    refused: int = 0

    def token(self, ttl: float = 3600, *, allowed: bool = True, renewable: bool = True) -> str:
        """A new token."""
        made = f"hvs.{secrets.token_urlsafe(24)}"
        ends = time.monotonic() + ttl if ttl else math.inf
        self.tokens[made] = Token(ends, ttl, allowed, renewable and ttl > 0)
        return made

    def rotate(self, key: str = "crosstie") -> None:
        """A new version of a key; the older ones still open."""
        self.keys[key].versions.append(os.urandom(32))


class Refused(Exception):
    """A refusal with its status and its words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


def _encrypt(key: Key, sent: dict[str, Any]) -> dict[str, Any]:
    if "plaintext" not in sent:
        raise Refused(400, "missing plaintext to encrypt")
    version = len(key.versions)
    nonce = os.urandom(12)
    plain, bound = b64decode(sent["plaintext"]), b64decode(sent.get("associated_data", ""))
    text = b64encode(nonce + AESGCM(key.versions[-1]).encrypt(nonce, plain, bound)).decode()
    return {"ciphertext": f"vault:v{version}:{text}", "key_version": version}


def _decrypt(key: Key, sent: dict[str, Any]) -> dict[str, Any]:
    prefix, _, rest = sent.get("ciphertext", "").partition(":v")
    number, _, text = rest.partition(":")
    if prefix != "vault" or not number.isdigit():
        raise Refused(400, "invalid ciphertext: no prefix")
    if not 1 <= int(number) <= len(key.versions):
        raise Refused(400, "invalid ciphertext: version is too new")
    if int(number) < key.oldest:
        raise Refused(400, "ciphertext or signature version is disallowed by policy (too old)")
    raw, bound = b64decode(text), b64decode(sent.get("associated_data", ""))
    try:
        plain = AESGCM(key.versions[int(number) - 1]).decrypt(raw[:12], raw[12:], bound)
    except (InvalidTag, ValueError):
        raise Refused(400, "invalid ciphertext: unable to decrypt") from None
    return {"plaintext": b64encode(plain).decode()}


def _rewrap(key: Key, sent: dict[str, Any]) -> dict[str, Any]:
    return _encrypt(key, _decrypt(key, sent))


VERBS: dict[str, Callable[[Key, dict[str, Any]], dict[str, Any]]] = {
    "encrypt": _encrypt, "decrypt": _decrypt, "rewrap": _rewrap,
}  # fmt: skip


def _handler(keeper: Keeper) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            found = _answer(keeper, request, await request.json() if request.can_read_body else {})
        except Refused as refused:
            return web.json_response({"errors": [str(refused)]}, status=refused.status)
        whole = {"request_id": secrets.token_hex(8), "lease_id": "", "renewable": False, "lease_duration": 0,
                 "wrap_info": None, "warnings": None, "auth": None, "data": None}  # fmt: skip
        return web.json_response(whole | found)

    return handle


def _answer(keeper: Keeper, request: web.Request, sent: dict[str, Any]) -> dict[str, Any]:
    path = request.path.removeprefix("/v1/")
    if keeper.sealed:
        keeper.refused += 1
        raise Refused(503, "Vault is sealed")
    token = keeper.tokens.get(request.headers.get("x-vault-token", ""))
    if token is None or token.ends < time.monotonic():
        raise Refused(403, "permission denied")
    if path.startswith("secret/data/") and request.headers.get("x-vault-namespace", "") == keeper.namespace:
        return _kept(keeper, request.method, path.removeprefix("secret/data/"), sent, allowed=token.allowed)
    if path.startswith("auth/token/"):
        return _of_itself(keeper, token, path)
    mount, _, rest = path.rpartition("/")[0].rpartition("/")[0], "", path.split("/")[-2:]
    if request.headers.get("x-vault-namespace", "") != keeper.namespace or mount != keeper.mount:
        raise Refused(404, f'no handler for route "{path}". route entry not found.')
    verb, name = rest
    if verb not in VERBS:
        raise Refused(404, "unsupported path")
    if not token.allowed:
        raise Refused(403, "1 error occurred:\n\t* permission denied\n\n")
    if name not in keeper.keys:
        raise Refused(400, "encryption key not found")
    keeper.asked.append(verb)
    return {"data": VERBS[verb](keeper.keys[name], sent)}


def _of_itself(keeper: Keeper, token: Token, path: str) -> dict[str, Any]:
    """What any token may ask about itself."""
    if path == "auth/token/lookup-self":
        ttl = int(token.ends - time.monotonic()) if token.ttl else 0
        return {"data": {"ttl": ttl, "renewable": token.renewable}}
    if path != "auth/token/renew-self":
        raise Refused(404, "unsupported path")
    keeper.asked.append("renew-self")
    if not token.renewable:
        raise Refused(400, "lease is not renewable")
    token.ends = time.monotonic() + token.ttl
    return {"auth": {"lease_duration": int(token.ttl), "renewable": True}}


def _kept(keeper: Keeper, method: str, path: str, sent: dict[str, Any], *, allowed: bool) -> dict[str, Any]:
    """The key-value engine, version 2."""
    if not allowed:
        raise Refused(403, "1 error occurred:\n\t* permission denied\n\n")
    if method in ("POST", "PUT"):
        keeper.secrets.setdefault(path, []).append(sent["data"])
    versions = keeper.secrets.get(path)
    if not versions:
        raise Refused(404, "")
    about = {"version": len(versions), "created_time": "2026-03-01T08:00:00Z", "deletion_time": "", "destroyed": False,
             "custom_metadata": None}  # fmt: skip
    keeper.asked.append(f"kv {method}")
    return {"data": about if method != "GET" else {"data": versions[-1], "metadata": about}}


@contextmanager
def keeping() -> Iterator[Keeper]:
    """The server on a free port of loopback."""
    keeper = Keeper()
    loop = asyncio.new_event_loop()
    started = threading.Event()
    stop = asyncio.Event()

    async def run() -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", _handler(keeper))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        keeper.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        started.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    started.wait(10)
    try:
        yield keeper
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
