"""Files on their way out: bytes by a short-lived signed address, and the operations of nouns that come with a file."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from crosstie.access import audit, link
from crosstie.api.derive import ID, MATCH, WRITE
from crosstie.api.entry import Api
from crosstie.api.link import active
from crosstie.api.operation import KEY, Handler, Operation
from crosstie.api.rest import Noun
from crosstie.api.upload import Depot, Uploads, form_schema
from crosstie.declare.link import Claim
from crosstie.declare.resource import Resource
from crosstie.declare.row import Row
from crosstie.declare.shape import Shape
from crosstie.errors import LinkExpired, NotFound, Unavailable
from crosstie.kit import clock
from crosstie.kit.blob import Away, Missing
from crosstie.log.event import Actor
from crosstie.log.idempotency import Answer

#: shown inside a page by browsers; all else is saved
SHOWN = ("image/jpeg", "image/png", "image/webp")
FORM = "multipart/form-data"
#: whoever has the address of a file
HOLDER = Actor("file_link")


class Files:
    """Sends the bytes of records."""

    def __init__(self, api: Api, uploads: Uploads) -> None:
        self.api = api
        self.uploads = uploads
        self.rows: dict[str, type[Row]] = {}
        for resource in api.log.catalogue.resources.values():
            if "blob" in resource.row.__table__.c:
                self.rows[resource.name] = resource.row
                self.rows |= {each.noun.name: each.noun.row for each in resource.lists}

    async def send(self, request: Request) -> Answer | Response:
        """The bytes that a signed address is for. Whoever shows a credential must be of the same tenant."""
        claim = link.read(self.api.log.cipher, link.FILES, request.path_params["token"], clock.now())
        await self.api.meter.take(claim.tenant_id, HOLDER, "api")
        if "authorization" in request.headers or "x-api-key" in request.headers:
            grant = await self.api.authenticate(request)
            if grant.tenant_id != claim.tenant_id:
                raise LinkExpired("The link is not for this credential.")
        async with self.api.log.unit(claim.tenant_id) as unit:
            await active(unit)
            row = (await unit.get(self.rows[claim.about["noun"]], UUID(claim.about["id"]))).__dict__
        if not row["blob"]:
            raise NotFound("The file was erased.")
        await self._noted(claim)
        headers = file_headers(row)
        if request.headers.get("if-none-match") == headers["etag"]:
            return Answer(304, b"", {"etag": headers["etag"]})
        if request.method == "HEAD":
            return Response(headers=headers)
        try:
            pieces = await self.uploads.blobs.read(row["blob"])
        except Missing:
            raise NotFound("The file is no longer there.") from None
        except Away as error:
            raise Unavailable("The file store cannot be reached right now; try again.") from error
        return StreamingResponse(pieces, headers=headers)

    async def _noted(self, claim: Claim) -> None:
        """A fetch of what is watched is in the audit log."""
        resource = self.api.log.catalogue.resources.get(claim.about["noun"])
        if resource is not None and resource.watched:
            target = (resource.singular, claim.about["id"])
            log, act = self.api.log, f"{resource.name}.fetch"
            await audit.note(log.app, log.cipher, claim.tenant_id, HOLDER, act, target=target)


def file_headers(row: dict[str, Any]) -> dict[str, str]:
    """The headers of a file: it is what we found it to be, and nothing in it runs."""
    kind = row["content_type"]
    how = "inline" if kind in SHOWN else "attachment"
    return {
        "content-type": f"{kind}; charset=utf-8" if kind.startswith("text/") else kind,
        "content-length": str(row["size"]),
        "content-disposition": f"{how}; filename*=UTF-8''{quote(row['filename'] or 'file', safe='')}",
        "content-security-policy": "default-src 'none'; sandbox",
        "referrer-policy": "no-referrer",
        "cache-control": "private, max-age=300",
        "etag": f'"{row["sha256"]}"',
    }


def operations(api: Api, uploads: Uploads) -> list[Operation]:
    """The operations of every noun that comes with a file."""
    found = []
    for resource in api.log.catalogue.resources.values():
        if resource.upload is None:
            continue
        depot = Depot(Noun(api, resource), uploads)
        record = {"$ref": f"#/components/schemas/{resource.title}"}
        found.append(
            _operation(resource, "create", "", f"Send a file: a new {resource.singular}.", depot.create, record)
        )
        if resource.upload.replace is not None:
            doc = f"Send the next version of a {resource.singular}."
            found.append(_operation(resource, "add_version", "/{id}/versions", doc, depot.replace, record))
    return found


def _operation(
    resource: Resource, name: str, tail: str, doc: str, handler: Handler, record: dict[str, Any]
) -> Operation:
    shape = Shape(()) if tail else resource.creation
    return Operation(
        f"{resource.name}.{name}",
        "POST",
        resource.path + tail,
        doc,
        handler,
        f"{resource.scope_name}:write",
        (ID, KEY, MATCH) if tail else (KEY,),
        form_schema(shape),
        media=FORM,
        answers={201: record},
        problems=WRITE,
        tag=resource.name,
    )


def routes(api: Api, uploads: Uploads) -> list[tuple[str, str, Handler]]:
    """The address of files."""
    return [("/media/{token}", "GET", Files(api, uploads).send)]
