"""Uploads: multipart/form-data streamed to disk, judged by its bytes, put into the store, then recorded in one Unit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from crosstie.access.token import Grant
from crosstie.api import body, filters
from crosstie.api.rest import Noun, match, parse_id
from crosstie.declare import kind as kinds
from crosstie.declare.field import Field
from crosstie.declare.shape import Shape, fault
from crosstie.declare.upload import Upload
from crosstie.errors import BadRequest, Fault, Invalid, Problem, RequestTimeout, TooLarge, Unavailable, UnsupportedMedia
from crosstie.kit import ids, json, magic
from crosstie.kit.blob import Away, Blobs
from crosstie.log import change
from crosstie.log.idempotency import Answer
from crosstie.log.unit import Unit

#: bytes of one field beside the file
FIELD = 64 * 1024
#: bytes of a request beside its file: fields, headers of parts
ROOM = 1 << 20
DIGEST = Field(
    kinds.Text(64, pattern="^[0-9a-f]{64}$"),
    name="sha256",
    doc="The SHA-256 that the file must have, in hexadecimal; the upload is refused where it differs.",
    nullable=True,
)
#: said by callers that do not know
UNSAID = ("", "application/octet-stream", "binary/octet-stream")
#: types that bytes cannot tell apart: what the caller says decides between them
SAID = {"text/plain": ("text/csv", "text/markdown")}


@dataclass(slots=True)
class Uploads:
    """What the upload handlers of one process share."""

    blobs: Blobs
    #: bytes of one file
    limit: int


class _Cut(MultiPartException):
    """The stream was ended for a reason of our own; the parser closes its files on the way out."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class Depot:
    """The upload handlers of one noun."""

    def __init__(self, noun: Noun, uploads: Uploads) -> None:
        assert noun.resource.upload is not None
        self.noun = noun
        self.uploads = uploads
        self.upload: Upload = noun.resource.upload

    async def create(self, request: Request) -> Answer:
        """A new record with its file."""
        resource = self.noun.resource
        grant = await self.noun.api.enter(request, self.noun.write)
        filters.none(request)
        form = await self.form(request)
        try:
            values = self.decode(form, resource.creation)
            columns = await self.keep(grant.tenant_id.hex, form, values.pop("sha256", None))
        finally:
            await form.close()
        raw = json.dumps([{k: repr(v) for k, v in values.items()}, columns["sha256"]])

        async def work(unit: Unit) -> Answer:
            row = await change.create(unit, resource, columns | {k: v for k, v in values.items() if v is not None})
            return self.noun.answer(row, 201, unit)

        return await self.record(request, grant, raw, work, columns["blob"])

    async def replace(self, request: Request) -> Answer:
        """New bytes for a record: its next version."""
        resource, upload = self.noun.resource, self.upload
        grant = await self.noun.api.enter(request, self.noun.write)
        filters.none(request)
        id = parse_id(request)
        async with self.noun.api.log.unit(grant.tenant_id, grant.actor) as unit:
            match(request, await unit.get(resource.row, id))  # before the bytes are taken in
        form = await self.form(request)
        try:
            values = self.decode(form, Shape(()))
            columns = await self.keep(grant.tenant_id.hex, form, values.get("sha256"))
        finally:
            await form.close()

        async def work(unit: Unit) -> Answer:
            row = await unit.get(resource.row, id, lock=True)
            match(request, row)
            assert upload.replace is not None
            after = await upload.replace(unit, row, columns)
            assert upload.replaced is not None
            change.tell(unit, resource, upload.replaced, after)
            change.note(unit, resource, "add-version", row, after)
            return self.noun.answer(after, 201, unit)

        return await self.record(request, grant, columns["sha256"].encode(), work, columns["blob"])

    async def record(
        self, request: Request, grant: Grant, raw: bytes, work: Callable[[Unit], Awaitable[Answer]], blob: str
    ) -> Answer:
        """Write what the file is for. Where that did not happen, nobody owns the file."""
        answer = None
        try:
            answer = await self.noun.api.write(request, grant, raw, work)
        finally:
            if answer is None or answer.replayed or answer.status != 201:
                with suppress(Away):  # what is left then is unreachable, and no more than that
                    await self.uploads.blobs.drop(blob)
        return answer

    async def form(self, request: Request) -> FormData:
        """The parts. The file is on disk from its first megabyte on."""
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "multipart/form-data":
            raise UnsupportedMedia("Send the file as multipart/form-data.")
        parser = MultiPartParser(
            request.headers, self._stream(request), max_files=1, max_fields=50, max_part_size=FIELD
        )
        try:
            return await parser.parse()
        except _Cut as cut:
            raise cut.problem from None
        except (MultiPartException, KeyError, UnicodeDecodeError) as error:
            raise BadRequest(
                f"The form cannot be read: {getattr(error, 'message', 'it is not well-formed')}."
            ) from None

    async def _stream(self, request: Request) -> AsyncGenerator[bytes, None]:
        """The body, bounded in size and in the silence between its pieces."""
        size, most = 0, self.uploads.limit + ROOM
        pieces = request.stream()
        while True:
            try:
                async with asyncio.timeout(body.SECONDS):
                    piece = await anext(pieces)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise _Cut(RequestTimeout(f"No byte came for {body.SECONDS:.0f} seconds.")) from None
            except ClientDisconnect:
                raise _Cut(BadRequest("The body ended early.")) from None
            size += len(piece)
            if size > most:
                raise _Cut(too_large(self.uploads.limit))
            yield piece

    def decode(self, form: FormData, shape: Shape) -> dict[str, Any]:
        """The fields beside the file, read from their text. Raises Invalid with every fault."""
        fields = shape.fields | {"sha256": DIGEST}
        faults: kinds.Faults = []
        document: dict[str, Any] = {}
        for name, value in form.multi_items():
            if name == "file" and isinstance(value, UploadFile):
                continue
            if name not in fields or not isinstance(value, str):
                kinds.refuse(faults, json.pointer([name]), "unknown_field", "there is no such field")
            elif name in document or "\0" in value:
                kinds.refuse(faults, f"/{name}", "value", "must be sent once, without U+0000")
            else:
                document[name] = fields[name].kind.parse(value, f"/{name}", faults) if value else None
        for name, field in fields.items():
            if document.get(name) is None and field.required:
                kinds.refuse(faults, f"/{name}", "required", "must be sent")
            elif document.get(name) is None:
                document[name] = field.initial()
        if not isinstance(form.get("file"), UploadFile):
            kinds.refuse(faults, "/file", "required", "must be sent, as a part with a filename")
        if faults:
            raise Invalid("The form breaks its schema.", errors=faults)
        return document

    async def keep(self, tenant: str, form: FormData, digest: str | None) -> dict[str, Any]:
        """Judge the file and put it into the store; answers the columns that describe it."""
        part = form["file"]
        assert isinstance(part, UploadFile)
        if part.size is not None and part.size > self.uploads.limit:
            raise too_large(self.uploads.limit)
        columns = await asyncio.to_thread(self.judge, part.file, part.content_type or "")
        if digest is not None and digest != columns["sha256"]:
            raise fault("/sha256", "digest", "is not that of the file which arrived")
        columns["filename"] = plain_name(part.filename or "")
        columns["blob"] = f"{tenant}/{columns['sha256'][:2]}/{columns['sha256']}.{ids.uuid7().hex}"
        try:
            await self.uploads.blobs.put(columns["blob"], part.file)
        except Away as error:
            raise Unavailable("The file store cannot be reached right now; try again.") from error
        return columns

    def judge(self, file: BinaryIO, said: str) -> dict[str, Any]:
        """What a file is and holds; runs in a thread."""
        found = magic.kind(file)
        said = said.split(";", maxsplit=1)[0].strip().lower()
        if found is not None and said in SAID.get(found, ()):
            found = said
        if found is None or found not in self.upload.types:
            raise UnsupportedMedia(f"Taken here: {', '.join(sorted(self.upload.types))}; judged by the file's bytes.")
        if said not in UNSAID and said != found:
            raise Invalid(
                "The file is not what it is said to be.",
                errors=[Fault("/file", "content_type", f"is said to be {said[:100]} and is {found}")],
            )
        columns = self.upload.examine(file, found) if self.upload.examine else {}
        file.seek(0)
        digest = sha256()
        while piece := file.read(1 << 20):
            digest.update(piece)
        columns |= {"sha256": digest.hexdigest(), "size": file.tell(), "content_type": found}
        file.seek(0)
        return columns


def too_large(limit: int) -> TooLarge:
    """The refusal of a file; the connection ends with it, so that the rest is not sent in vain."""
    return TooLarge(f"A file has at most {limit} bytes here.", headers={"Connection": "close"})


def plain_name(given: str) -> str:
    """A file's name without folders and control characters."""
    name = PurePosixPath(given.replace("\\", "/")).name
    return "".join(c for c in name if c.isprintable())[:200]


def form_schema(shape: Shape) -> dict[str, Any]:
    """The schema of a form."""
    found = Shape([*shape.fields.values(), DIGEST]).schema()
    found["properties"]["file"] = {"type": "string", "format": "binary", "description": "The file."}
    return found | {"required": [*found.get("required", ()), "file"]}
