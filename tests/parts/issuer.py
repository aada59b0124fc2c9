"""An issuer of tokens on loopback that signs whatever it is told, right or wrong, and counts what it is asked."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, Key

HOUR = 3600


class Issuer:
    """Keys by name, all of which are in its set unless they are taken out."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.keys: dict[str, Key] = {"first": ECKey.generate_key("P-256")}
        #: the key set as it is shown, where that is not simply its keys
        self.shown: Any = None
        self.asked: Counter[str] = Counter()
        self.down = False

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What a good token says; a claim that is None is left out."""
        now = int(time.time())
        usual = {"iss": self.address, "aud": "crosstie", "sub": "u-1", "iat": now, "exp": now + HOUR}
        return {name: value for name, value in (usual | changes).items() if value is not None}

    def token(self, header: dict[str, Any] | None = None, key: Key | None = None, **changes: Any) -> str:
        """A signed token."""
        head = {"alg": "ES256", "kid": "first", "typ": "JWT"} | (header or {})
        payload = json.dumps(self.claims(**changes)).encode()
        registry = jws.JWSRegistry(algorithms=[head["alg"]], strict_check_header=False)
        registry.max_header_length = 1 << 20
        registry.max_payload_length = 1 << 20
        return jws.serialize_compact(
            {name: value for name, value in head.items() if value is not None},
            payload,
            key or self.keys["first"],
            registry=registry,
        )

    def document(self, path: str) -> Any:
        self.asked[path] += 1
        if self.down:
            return None
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.address, "jwks_uri": f"{self.address}/keys"}
        if path == "/keys":
            public = [key.as_dict(private=False) | {"kid": name} for name, key in self.keys.items()]
            return {"keys": public} if self.shown is None else self.shown
        return None


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer that answers at its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = issuer.document(self.path)
            body = json.dumps(found).encode()
            self.send_response(500 if found is None else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
