"""Checkpoints of the audit log: how long each chain is and how it ends, signed, outside the database.

They lie as lines of JSON in `HOME/audit`, a file for each process and day, beside the public keys that check them; and
in a bucket, where the settings name one. Whoever has the database alone can neither change nor forge them.
"""

from __future__ import annotations

import io
import os
import time
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import msgspec
import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from crosstie.kit import clock, ids, json
from crosstie.kit.blob import Away, Blobs

FOLDER, KEYS, LINES = "audit", "*.pub", "*.jsonl"
#: seconds between two files for the bucket
PAUSE = 15.0
logger = structlog.get_logger()
Keys = Mapping[str, Ed25519PublicKey]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a tenant's chain at a moment, with the marks of the entries after `since`.

    `restored`: the chain came out of a backup at this moment, and this is where it ended.
    """

    tenant_id: UUID
    since: int
    position: int
    head: bytes
    marks: bytes
    at: datetime
    restored: bool = False


class _Body(msgspec.Struct):
    tenant_id: UUID
    since: int
    position: int
    head: str
    marks: str
    at: datetime
    restored: bool = False


class _Line(msgspec.Struct):
    checkpoint: str
    key: str
    signature: str


def key_id(key: Ed25519PublicKey) -> str:
    """The name of a public key: the beginning of its digest."""
    return sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


class Anchors:
    """Signs checkpoints and puts them away. One per process; `seed` is 32 bytes derived from the master key."""

    def __init__(self, folder: Path, seed: bytes, bucket: Blobs | None = None) -> None:
        self._folder = folder
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._id = key_id(self._key.public_key())
        self._name = ids.uuid7().hex
        self._bucket = bucket
        self._unsent: list[bytes] = []
        self._sent_at = -PAUSE

    def write(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Append checkpoints to this process's file of the day; on disk when it returns. Raises OSError."""
        if not checkpoints:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._publish()
        lines = [self._line(checkpoint) for checkpoint in checkpoints]
        path = self._folder / f"{clock.now():%Y%m%d}-{self._name}.jsonl"
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, b"".join(lines))
            os.fsync(handle)
        finally:
            os.close(handle)
        if self._bucket is not None:
            self._unsent += lines

    async def push(self) -> None:
        """Send to the bucket what it has not got; where it is away, the next call does."""
        if self._bucket is None or not self._unsent or time.monotonic() - self._sent_at < PAUSE:
            return
        self._sent_at = time.monotonic()
        lines, self._unsent = self._unsent, []
        try:
            await self._bucket.put(
                f"{FOLDER}/{clock.now():%Y%m%d}/{ids.uuid7().hex}.jsonl", io.BytesIO(b"".join(lines))
            )
        except Away as error:
            self._unsent = lines + self._unsent
            logger.warning("audit.bucket_away", error=repr(error))

    def _line(self, checkpoint: Checkpoint) -> bytes:
        whole = {
            "version": 1,
            "tenant_id": checkpoint.tenant_id,
            "since": checkpoint.since,
            "position": checkpoint.position,
            "head": checkpoint.head.hex(),
            "marks": checkpoint.marks.hex(),
            "at": checkpoint.at,
        }
        body = json.dumps(whole | ({"restored": True} if checkpoint.restored else {}))
        signature = b64encode(self._key.sign(body)).decode()
        return json.dumps({"checkpoint": body.decode(), "key": self._id, "signature": signature}) + b"\n"

    def _publish(self) -> None:
        """Leave the public key where whoever verifies looks for it."""
        path = self._folder / f"{self._id}.pub"
        if not path.exists():
            path.write_bytes(self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def read_keys(paths: Iterable[Path]) -> dict[str, Ed25519PublicKey]:
    """Public keys (PEM) by their names. Raises ValueError for a file that holds none."""
    found = {}
    for path in paths:
        key = load_pem_public_key(path.read_bytes())
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError(f"{path} holds no Ed25519 key")
        found[key_id(key)] = key
    return found


def read(lines: Iterable[bytes], keys: Keys) -> Iterator[Checkpoint | None]:
    """The checkpoints of lines; None for one that no key vouches for."""
    for line in lines:
        if line.strip():
            yield _checked(line, keys)


def _checked(line: bytes, keys: Keys) -> Checkpoint | None:
    try:
        outer = msgspec.json.decode(line, type=_Line)
        keys[outer.key].verify(b64decode(outer.signature), outer.checkpoint.encode())
        body = msgspec.json.decode(outer.checkpoint, type=_Body)
        head, marks = bytes.fromhex(body.head), bytes.fromhex(body.marks)
        return Checkpoint(body.tenant_id, body.since, body.position, head, marks, body.at, body.restored)
    except (msgspec.MsgspecError, KeyError, InvalidSignature, ValueError):
        return None
