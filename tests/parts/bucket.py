"""A bucket that speaks S3: signatures are checked by botocore's own arithmetic, multipart uploads included."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5, sha256
from xml.etree.ElementTree import fromstring

from aiohttp import web
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY_ID, SECRET, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-west-1"


@dataclass
class Bucket:
    """What lies in it, and what was asked of it."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    uploads: int = 0
    down: bool = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request of the S3 API."""
        body = await request.read()
        if self.down:
            return web.Response(status=503)
        reason = wrong(request, body)
        if reason:
            self.refused.append(reason)
            return web.Response(status=403, text="<Error><Code>SignatureDoesNotMatch</Code></Error>")
        key = request.path
        query = request.query
        if request.method == "POST" and "uploads" in query:
            self.uploads += 1
            self.parts[str(self.uploads)] = {}
            id = f"<UploadId>{self.uploads}</UploadId>"
            return web.Response(text=f"<InitiateMultipartUploadResult>{id}</InitiateMultipartUploadResult>")
        if request.method == "POST" and "delete" in query:
            keys = [n.text or "" for n in fromstring(body).iter() if n.tag.endswith("Key")]
            for name in keys:
                self.files.pop(f"{request.path.rstrip('/')}/{name}", None)
            gone = "".join(f"<Deleted><Key>{name}</Key></Deleted>" for name in keys)
            return web.Response(text=f"<DeleteResult>{gone}</DeleteResult>")
        if request.method == "POST":
            numbers = [int(n.text or "") for n in fromstring(body).iter() if n.tag.endswith("PartNumber")]
            parts = self.parts.pop(query["uploadId"])
            self.files[key] = b"".join(parts[number] for number in numbers)
            tag = "<ETag>whole</ETag>"
            return web.Response(text=f"<CompleteMultipartUploadResult>{tag}</CompleteMultipartUploadResult>")
        if request.method == "PUT" and "partNumber" in query:
            self.parts[query["uploadId"]][int(query["partNumber"])] = body
            return web.Response(headers={"ETag": f'"{sha256(body).hexdigest()}"'})
        if request.method == "PUT":
            self.files[key] = body
            return web.Response(headers={"ETag": f'"{md5(body).hexdigest()}"'})
        if key not in self.files:
            return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>")
        headers = {"ETag": '"tag"', "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT"}
        return web.Response(body=self.files[key], headers=headers)


def wrong(request: web.Request, body: bytes) -> str | None:
    """Why a signature is refused, or None."""
    given = request.headers.get("authorization", "")
    if not given.startswith("AWS4-HMAC-SHA256 "):
        return "unsigned"
    fields = dict(part.strip().split("=", 1) for part in given.partition(" ")[2].split(","))
    names = fields["SignedHeaders"].split(";")
    promised = request.headers.get("x-amz-content-sha256", "")
    if promised not in ("UNSIGNED-PAYLOAD", sha256(body).hexdigest()):
        return "payload"
    signed = AWSRequest(
        method=request.method,
        url=str(request.url),
        headers={name: request.headers[name] for name in names},
        data=body,
    )
    signed.context["timestamp"] = request.headers["x-amz-date"]
    signed.context["payload_signing_enabled"] = True
    auth = S3SigV4Auth(Credentials(KEY_ID, SECRET), "s3", REGION)
    signer = _Exact(auth, names, promised)
    expected = signer.signature(signed)
    return None if expected == fields["Signature"] else "signature"


@dataclass
class _Exact:
    """Signs exactly the headers that the caller signed."""

    auth: S3SigV4Auth
    names: list[str]
    promised: str

    def signature(self, request: AWSRequest) -> str:
        canonical = "\n".join(
            (
                request.method.upper(),
                self.auth._normalize_url_path(request.url.split("?")[0].split("/", 3)[-1].join(("/", ""))),
                self.auth.canonical_query_string(request),
                "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in self.names),
                ";".join(self.names),
                self.promised,
            )
        )
        return str(self.auth.signature(self.auth.string_to_sign(request, canonical), request))


@contextmanager
def bucket() -> Iterator[Bucket]:
    """A bucket on a free port of loopback."""
    found = Bucket()
    loop = asyncio.new_event_loop()
    started, stop = threading.Event(), asyncio.Event()

    async def run() -> None:
        app = web.Application(client_max_size=256 << 20)
        app.router.add_route("*", "/{tail:.*}", found.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        started.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    assert started.wait(60)
    try:
        yield found
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        loop.close()
