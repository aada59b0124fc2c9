"""Second implementations of providers of text and push messages, after their own documentation: a real HTTP server that
checks what it is asked as they do, remembers by their own ids, and fails on demand."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import RSAKey

ACCOUNT, TOKEN, SENDER = "AC" + "0" * 32, "auth-token", "+15005550006"
USERNAME, KEY = "sandbox", "atsk_key"


@dataclass
class Exchange:
    """What providers took, and how they are to fail: statuses by path's beginning, each list used up from its front."""

    port: int = 0
    taken: list[dict[str, Any]] = field(default_factory=list)
    faults: dict[str, list[int]] = field(default_factory=dict)
    #: take the next message, and hang up without an answer
    silent: int = 0
    #: called when a message was taken, before that is said
    taking: Callable[[], None] = lambda: None
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    bearer: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def url(self) -> str:
        """Where they are."""
        return f"http://127.0.0.1:{self.port}"

    def service_account(self) -> str:
        """The file that Google gives out for a project's server."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return json.dumps({
            "type": "service_account", "project_id": "demo", "private_key_id": "k1", "private_key": pem.decode(),
            "client_email": "push@demo.iam.example", "token_uri": f"{self.url}/token",
        })  # fmt: skip

    def to(self, address: str) -> list[dict[str, Any]]:
        """What was taken for somebody."""
        return [each for each in self.taken if each["to"] == address]


class Handler(BaseHTTPRequestHandler):
    exchange: Exchange
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        for start, statuses in self.exchange.faults.items():
            if self.path.startswith(start) and statuses:
                return self.answer(statuses.pop(0), {"error": "fault"})
        if self.path == "/version1/messaging":
            return self.africastalking(self.form(body))
        if self.path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json":
            return self.twilio(self.form(body))
        if self.path == "/token":
            return self.google(self.form(body))
        if self.path == "/v1/projects/demo/messages:send":
            return self.fcm(json.loads(body))
        return self.answer(404, {})

    def form(self, body: bytes) -> dict[str, str]:
        assert self.headers["content-type"] == "application/x-www-form-urlencoded"
        return {name: values[0] for name, values in parse_qs(body.decode(), strict_parsing=True).items()}

    def answer(self, status: int, document: dict[str, Any]) -> None:
        if status < 300 and self.exchange.silent and self.path != "/token":
            self.exchange.silent -= 1
            self.close_connection = True
            return
        raw = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def take(self, **values: Any) -> None:
        self.exchange.taken.append({"key": self.headers["idempotency-key"], **values})
        self.exchange.taking()

    def africastalking(self, given: dict[str, str]) -> None:
        if self.headers["apikey"] != KEY or given["username"] != USERNAME:
            return self.answer(401, {"error": "The supplied authentication is invalid"})
        number, code, status, id = given["to"], 101, "Success", f"ATXid_{secrets.token_hex(8)}"
        if number.endswith("0403"):
            code, status, id = 403, "InvalidPhoneNumber", "None"
        elif number.endswith("0406"):
            code, status, id = 406, "UserInBlacklist", "None"
        else:
            self.take(by="africastalking", to=number, text=given["message"], sender=given.get("from"), id=id)
        recipient = {"statusCode": code, "number": number, "status": status, "cost": "KES 0.8000", "messageId": id}
        return self.answer(201, {"SMSMessageData": {"Message": "Sent to 1/1", "Recipients": [recipient]}})

    def twilio(self, given: dict[str, str]) -> None:
        wanted = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if self.headers["authorization"] != wanted:
            return self.answer(401, {"code": 20003, "message": "Authenticate", "status": 401})
        if given["To"].endswith("0211"):
            return self.answer(400, {"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400})
        id = f"SM{secrets.token_hex(16)}"
        self.take(by="twilio", to=given["To"], text=given["Body"], sender=given["From"], id=id)
        return self.answer(201, {"sid": id, "status": "queued", "to": given["To"]})

    def google(self, given: dict[str, str]) -> None:
        assert given["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        pem = self.exchange.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        claims = jwt.decode(given["assertion"], RSAKey.import_key(pem), algorithms=["RS256"]).claims
        assert claims["aud"] == f"{self.exchange.url}/token"
        assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
        assert 0 < claims["exp"] - time.time() <= 3600
        return self.answer(200, {"access_token": self.exchange.bearer, "expires_in": 3599, "token_type": "Bearer"})

    def fcm(self, given: dict[str, Any]) -> None:
        if self.headers["authorization"] != f"Bearer {self.exchange.bearer}":
            return self.answer(401, {"error": {"code": 401, "status": "UNAUTHENTICATED"}})
        message = given["message"]
        if message["token"] == "gone":
            details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "UNREGISTERED"}]
            return self.answer(404, {"error": {"code": 404, "status": "NOT_FOUND", "details": details}})
        id = f"projects/demo/messages/{secrets.token_hex(8)}"
        told = message["notification"]
        self.take(by="fcm", to=message["token"], text=told["body"], title=told["title"], id=id)
        return self.answer(200, {"name": id})


@contextmanager
def exchanging() -> Iterator[Exchange]:
    """The providers, on loopback."""
    exchange = Exchange()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"exchange": exchange}))
    exchange.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield exchange
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
