"""The way from a command to the API: address, credential, and answers that become results or failures."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import httpx2

from crosstie import settings as configuration
from crosstie.command import kept
from crosstie.command.failing import DENIED, FAILED, LATE, UNREACHABLE, Failure, of_status
from crosstie.kit import json
from crosstie.settings import Settings

SECONDS = 30
PAGE = 200


class Refused(Failure):
    """The API refused; `document` is its problem."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        faults = "".join(f"\n  {f['pointer']} {f['message']}" for f in document.get("errors", ()))
        sentence = document.get("detail") or f"The API answered {status}."
        hint = f"{document['type']} (request {document['request_id']})" if "request_id" in document else ""
        super().__init__(sentence + faults, of_status(status), hint)
        self.document = document


class Way(NamedTuple):
    """How to connect by other means than requests."""

    url: str
    headers: dict[str, str]
    trust: ssl.SSLContext | bool = True
    #: past any proxy that the environment names
    direct: bool = False


@dataclass(frozen=True, slots=True)
class Api:
    """The API as one tenant sees it."""

    client: httpx2.Client
    way: Way

    def ask(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """An answer below 400. Raises Failure else."""
        try:
            answer = self.client.request(method, path, **options)
        except httpx2.TimeoutException as error:
            raise Failure(f"{self.client.base_url} did not answer in {SECONDS} s.", LATE) from error
        except httpx2.TransportError as error:
            hint = "is it running? `crosstie up` starts it; CROSSTIE_BASE_URL says where it is"
            raise Failure(f"{self.client.base_url} cannot be reached ({error}).", UNREACHABLE, hint) from error
        if answer.status_code >= 400:
            problem = "json" in answer.headers.get("content-type", "")
            raise Refused(answer.status_code, json.loads(answer.content) if problem else {})
        return answer

    def get(self, path: str, **query: Any) -> Any:
        """The document at a path."""
        return json.loads(self.ask("GET", path, params=query).content)

    def post(self, path: str, document: Any = None) -> Any:
        """What a POST answers; None where it answers nothing."""
        body = json.dumps(document if document is not None else {})
        answer = self.ask("POST", path, content=body, headers={"content-type": "application/json"})
        return json.loads(answer.content) if answer.content else None

    def pages(self, path: str, query: Mapping[str, Any], most: int | None) -> Iterator[dict[str, Any]]:
        """Records of a list, page by page, until there are no more, or `most`."""
        left, cursor = most, None
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            page = self.get(path, limit=size, **query, **({"cursor": cursor} if cursor else {}))
            yield from page["data"]
            left = None if left is None else left - len(page["data"])
            cursor = page["next_cursor"]
            if not page["has_more"]:
                return

    def finished(self, operation: Mapping[str, Any], tell: Callable[[Mapping[str, Any]], None]) -> dict[str, Any]:
        """A long operation, once it is over. Raises Failure where it failed."""
        found = dict(operation)
        while found["status"] in ("queued", "running"):
            time.sleep(0.3)
            found = self.get(f"/api/v1/operations/{found['id']}")
            tell(found)
        if found["status"] != "done":
            raise Failure(f"The operation {found['id']} is {found['status']}.", FAILED)
        return found


def connected() -> Api:
    """The API of CROSSTIE_BASE_URL and CROSSTIE_API_KEY, else the demo tenant of this installation."""
    settings = configuration.load(os.environ, Path.cwd())
    demo = kept.read(settings.home)
    key = os.environ.get("CROSSTIE_API_KEY") or (demo.api_key if demo else "")
    if not key:
        raise Failure(
            "There is no credential to call the API with.",
            DENIED,
            "set CROSSTIE_API_KEY; `crosstie keys create` makes one",
        )
    there = way(settings, key, os.environ.get("CROSSTIE_BASE_URL"))
    return Api(client(there), there)


def way(settings: Settings, key: str | None, url: str | None = None) -> Way:
    """The way to the API at `url`, or to this machine's own."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return Way(url, headers) if url else Way(local(settings), headers, _trust(settings), direct=True)


def client(there: Way) -> httpx2.Client:
    """A client of the API."""
    return httpx2.Client(
        base_url=there.url, headers=there.headers, timeout=SECONDS, verify=there.trust, trust_env=not there.direct
    )


def local(settings: Settings) -> str:
    """Where this machine reaches its own API."""
    scheme = "https" if settings.tls_cert_file else "http"
    host = "127.0.0.1" if settings.wildcard else settings.host
    return f"{scheme}://[{host}]:{settings.port}" if ":" in host else f"{scheme}://{host}:{settings.port}"


def own(settings: Settings, key: str | None = None) -> httpx2.AsyncClient:
    """An asynchronous client of this machine's own API."""
    url, headers, trust, _ = way(settings, key)
    return httpx2.AsyncClient(base_url=url, headers=headers, timeout=SECONDS, verify=trust, trust_env=False)


def _trust(settings: Settings) -> ssl.SSLContext | bool:
    """Our own certificate is taken as it stands in the settings: it names the public address, not this one."""
    if not settings.tls_cert_file:
        return False  # plain http: nobody is trusted, and to read in whom the system trusts takes long
    trust = ssl.create_default_context(cafile=str(settings.tls_cert_file))
    trust.check_hostname = False
    return trust
