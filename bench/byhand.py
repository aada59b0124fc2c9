"""Creating a job as one would write it by hand for the same tables: Starlette, msgspec, asyncpg, and nothing else.

The same promises about what is committed: tenant set, key looked up, row, search words, entry in the timeline, event
with its sequence, pointer for the dispatcher, answer kept under the key; as few round trips as can be. No scopes, no
problem documents, no metrics, no encryption of the answer, no choice of tenant: it is the floor, not a product.
"""

from __future__ import annotations

import gc
import json
import socket
import sys
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

import asyncpg
import msgspec
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uuid_utils.compat import uuid7


class Job(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    client_id: UUID
    title: str
    reference: str | None = None
    description: str | None = None
    trade: str | None = None
    priority: str = "normal"


decode = msgspec.json.Decoder(Job).decode
FIND = "SELECT fingerprint, answer FROM idempotency WHERE tenant_id = $1 AND principal = $2 AND key = $3"
WRITE = """
WITH job AS (
  INSERT INTO jobs (tenant_id, id, client_id, title, reference, description, trade, priority, status, external_ids,
    created_at, updated_at, revision)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'requested', '{}', $9, $9, 1)
), words AS (
  INSERT INTO search_tokens (tenant_id, noun, token, row_id) SELECT $1, 'jobs', t, $2 FROM unnest($10::text[]) t
), entry AS (
  INSERT INTO timeline_entries (tenant_id, id, job_id, at, type, layer, event_id, actor_type, actor_id, subject_type,
    subject_id, data)
  VALUES ($1, $12, $2, $9, 'job.created', 'event', $13, 'api_key', 'by hand', 'job', $11, $14::text::jsonb)
), counter AS (
  INSERT INTO counters AS c (tenant_id, subject_type, subject_id, value) VALUES ($1, 'job', $11, 1)
  ON CONFLICT (tenant_id, subject_type, subject_id) DO UPDATE SET value = c.value + 1 RETURNING value
), event AS (
  INSERT INTO events (tenant_id, id, epoch, event_id, type, version, at, subject_type, subject_id, sequence, actor_type,
    actor_id, data)
  SELECT $1, $12, 1, $13, 'job.created', 1, $9, 'job', $11, value, 'api_key', 'by hand', $14::text::json FROM counter
), pointer AS (
  INSERT INTO outbox (tenant_id, id, lane, sequence) SELECT $1, $12, 'job:' || $11, value FROM counter
)
INSERT INTO idempotency (tenant_id, principal, key, fingerprint, answer) VALUES ($1, $15, $16, $17, $18)
"""


def build(plan: dict[str, str], pool: asyncpg.Pool) -> Starlette:
    tokens = {plan["key"]: UUID(plan["tenant"])}

    async def create(request: Request) -> Response:
        tenant = tokens[request.headers["authorization"].removeprefix("Bearer ")]
        body = await request.body()
        job = decode(body)
        key = sha256(request.headers["idempotency-key"].encode()).digest()
        fingerprint = sha256(b"POST /api/v1/jobs\0" + body).digest()
        id, event_id, now = uuid7(), uuid7(), datetime.now(UTC)
        document = {"id": id, "status": "requested", "created_at": now, "updated_at": now, **msgspec.to_builtins(job)}
        answer = msgspec.json.encode(document)
        words = sorted({word.lower() for word in f"{job.title} {job.reference}".split()})
        async with pool.acquire() as connection:
            await connection.execute(f"BEGIN; SELECT set_config('app.tenant', '{tenant}', true)")
            found = await connection.fetchrow(FIND, tenant, "by hand", key)
            if found:
                await connection.execute("ROLLBACK")
                return Response(found["answer"], 201, media_type="application/json")
            await connection.execute(
                WRITE, tenant, id, job.client_id, job.title, job.reference, job.description, job.trade, job.priority,
                now, words, str(id), event_id, str(event_id), answer.decode(), "by hand", key, fingerprint, answer,
            )  # fmt: skip
            await connection.execute("COMMIT")
        return Response(answer, 201, {"location": f"/api/v1/jobs/{id}"}, media_type="application/json")

    async def live(request: Request) -> Response:
        return Response(b"{}")

    return Starlette(routes=[Route("/api/v1/jobs", create, methods=["POST"]), Route("/livez", live)])


async def no_reset(connection: asyncpg.Connection) -> None:
    """Every setting is local to its transaction."""


async def serve(plan: dict[str, str], listener: socket.socket) -> None:
    options = {"timezone": "UTC", "jit": "off"}
    pool = await asyncpg.create_pool(plan["app"], min_size=10, max_size=10, reset=no_reset, server_settings=options)
    app = build(plan, pool)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    config = uvicorn.Config(app, http="httptools", access_log=False, log_level="error", lifespan="off")
    await uvicorn.Server(config).serve(sockets=[listener])


def main() -> None:
    plan = json.loads(sys.argv[1])
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", int(plan["port"])))
    uvloop.run(serve(plan, listener))


if __name__ == "__main__":
    main()
