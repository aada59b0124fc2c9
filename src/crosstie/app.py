"""The composition root: settings in, a running process out. The only place that sees everything."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import structlog
import uvicorn
from starlette.types import ASGIApp

from crosstie import access, log, services, watch
from crosstie.access import anchor, audit, oauth
from crosstie.access.age import Ages
from crosstie.access.anchor import Anchors
from crosstie.access.extract import Extracts
from crosstie.access.foreign import Foreign
from crosstie.access.jwks import KeySets
from crosstie.access.master import masters
from crosstie.access.oauth.flow import Flows
from crosstie.access.oauth.own import Own
from crosstie.access.oauth.ring import Ring
from crosstie.access.oauth.sweep import Sweeper
from crosstie.access.rotation import Rotation
from crosstie.access.seal import Sealer
from crosstie.access.sync import AuthService
from crosstie.access.token import Tokens
from crosstie.access.usage import Usage
from crosstie.access.vault import Vault
from crosstie.api import server
from crosstie.api.listener import bounded
from crosstie.api.live import wire
from crosstie.api.live.crowd import Crowd
from crosstie.api.live.hub import Hub
from crosstie.api.upload import Uploads
from crosstie.catalog import catalogue
from crosstie.db import engine
from crosstie.db.seat import Seat
from crosstie.declare.catalogue import Catalogue
from crosstie.deliver import inbound
from crosstie.deliver.broker.build import build
from crosstie.deliver.broker.inbox import Inbox
from crosstie.deliver.broker.relay import Relay
from crosstie.deliver.broker.roster import Roster
from crosstie.deliver.broker.sink import Brokers
from crosstie.deliver.inbound.build import Inbound
from crosstie.deliver.inbound.build import build as build_inbound
from crosstie.deliver.inbound.reading import Reader
from crosstie.deliver.webhook import Webhooks
from crosstie.deliver.wire import Wire
from crosstie.errors import ConfigurationError
from crosstie.eyes import Eyes
from crosstie.kit.blob import Blobs
from crosstie.kit.egress import Guard
from crosstie.kit.fetch import Fetcher
from crosstie.kit.http import Client
from crosstie.kit.resolver import Resolver
from crosstie.log.dispatch import Dispatcher
from crosstie.log.herald import Herald
from crosstie.log.ingest import Ingest
from crosstie.log.intake import Intake
from crosstie.log.loose import Broom
from crosstie.log.news import News
from crosstie.log.operation import Chores
from crosstie.log.park import Park
from crosstie.log.reaction import Reactions
from crosstie.log.registry import Registry
from crosstie.log.replay import Replays
from crosstie.log.retention import Keeper
from crosstie.log.route import Routes
from crosstie.log.sink import Sink
from crosstie.log.timed import Timed
from crosstie.log.unit import Log
from crosstie.log.worker import Worker
from crosstie.modules import field
from crosstie.modules import notifications as messages
from crosstie.modules.compliance import erase
from crosstie.modules.compliance.archive import Archives
from crosstie.modules.compliance.request import ERASURE, EXPORT
from crosstie.modules.notifications import build as notifications
from crosstie.services.build import build as build_services
from crosstie.services.forget import forgetting
from crosstie.services.gateway import Gateway
from crosstie.settings import Settings

logger = structlog.get_logger()
#: the SQL of the owner's functions
OWNING = (log, access, oauth, services, field, messages, watch, inbound)
FUNCTIONS = tuple(Path(package.__file__ or "").with_name("functions.sql") for package in OWNING)


def functions() -> str:
    """The text of the owner's functions."""
    return "\n".join(path.read_text("utf-8") for path in FUNCTIONS)


@dataclass(slots=True)
class Dsns:
    """Where the database is, for the two serving roles."""

    app: str
    worker: str


@dataclass(slots=True)
class Process:
    """The parts of one serving process."""

    log: Log
    vault: Vault
    trusted: Foreign
    routes: Routes
    dispatcher: Dispatcher
    herald: Herald
    ingest: Ingest
    inbound: Inbound
    worker: Worker | None
    relays: list[Relay]
    eyes: Eyes
    news: News
    gateway: Gateway
    tasks: list[Callable[[], Coroutine[Any, Any, None]]]


@asynccontextmanager
async def opened(settings: Settings, dsns: Dsns, *, work: bool, name: str) -> AsyncIterator[Process]:
    """The parts of a process, opened in order and closed in reverse. With `work` it also delivers."""
    async with AsyncExitStack() as stack:
        app = await _pool(stack, dsns.app, settings, f"crosstie {name}")
        worker_pool = await _pool(stack, dsns.worker, settings, f"crosstie {name} worker")
        vault = await Vault.opened(app, masters(settings))
        guard = Guard(settings.egress_allow)
        resolver = Resolver(guard)
        stack.push_async_callback(resolver.close)
        sender = Wire(guard, resolver)
        stack.push_async_callback(sender.close)
        fetcher = Fetcher(guard, resolver)
        stack.push_async_callback(fetcher.close)
        declared: Catalogue = catalogue()
        epoch = await app.fetchval("SELECT installation_epoch()")
        brokers = build(settings, [each.name for each in declared.events.values() if each.open])
        roster = Roster(worker_pool, [broker.address for broker in brokers], serves=work)
        sinks: list[Sink] = [Webhooks(worker_pool, vault, sender, settings), Brokers(brokers, settings, roster)]
        routes = Routes(worker_pool, sinks)
        roster.changed = routes.doubt
        await roster.beat()
        worker = Worker(worker_pool, routes, name, epoch) if work else None
        dispatcher = Dispatcher(worker_pool, routes, worker)
        news = News()
        herald = Herald(worker_pool, dsns.worker, routes, dispatcher, worker, news)
        stack.push_async_callback(herald.close)
        wake = dispatcher.wake if work else herald.tell
        ingest = Ingest(
            _seat(stack, dsns, settings, f"{name} ingest"), routes, epoch, worker=worker, wake=wake, tell=news.tell
        )
        made = Log(app, worker_pool, declared, epoch, vault, guard, wake=wake, tell=news.tell, rerouted=routes.drop)
        made.address = settings.public_url
        made.poke = worker.wake if worker else lambda: herald.tell(())
        store = blobs(settings)
        chores = _chores(made, routes, store)
        service = AuthService(settings.auth_issuer, settings.auth_audience)
        routes.add(Reactions(made, (*declared.reactions, *service.reactions), settings.retry_schedule))
        eyes = Eyes(made, ingest, dispatcher, routes, name, brokers if worker else ())
        for sink in notifications.sinks(made, settings, fetcher, guard, resolver, store, eyes.called):
            routes.add(sink)
        client = Client(guard, resolver)
        stack.push_async_callback(client.close)
        gateway = build_services(made, client, routes, settings, eyes.asked)
        trusted = Foreign(made, KeySets(fetcher.get))
        intake = Intake(declared, Registry(app))
        actors = {broker.address.source: broker.address.actor for broker in brokers}
        park = Park(worker_pool, intake, ingest, epoch, settings.retry_schedule, actors)
        reader, seat = Reader(intake, ingest, park), _seat(stack, dsns, settings, f"{name} inbound")
        doors = build_inbound(app, worker_pool, vault, reader, seat, fetcher, settings, eyes.metrics.knocked)
        relays = [Relay(worker_pool, broker, routes, worker, epoch, news) for broker in brokers] if worker else []
        process = Process(
            made, vault, trusted, routes, dispatcher, herald, ingest, doors, worker, relays, eyes, news, gateway, []
        )
        process.tasks += [herald.run, roster.run, vault.masters.live, *(relay.run for relay in relays)]
        process.tasks += eyes.open(stack, worker, settings.operator_tenant, gateway.caller.remote)
        if worker:
            inbox = Inbox(app, intake, ingest, park, settings.public_url)
            process.tasks += [park.run, *(partial(broker.run, eyes.counted(inbox.take)) for broker in brokers)]
            process.tasks += [dispatcher.run, worker.run, chores.run, *_upkeep(process, settings, store)]
        yield process


def _chores(made: Log, routes: Routes, store: Blobs) -> Chores:
    """Long work that somebody asked for: replays, erasures, exports."""
    replays = Replays(routes)
    jobs = {"replay": replays.replay, "recover": replays.recover, "drop": replays.drop, ERASURE: erase.run}
    chores = Chores(made, jobs, {EXPORT: Archives(store).run, audit.EXPORT: Extracts(store).run})
    made.stir = chores.wake
    return chores


def _upkeep(process: Process, settings: Settings, store: Blobs) -> list[Callable[[], Coroutine[Any, Any, None]]]:
    """What a process that works looks after, beside deliveries."""
    made, vault = process.log, process.vault
    return [
        Keeper(made.worker, settings).run,
        Timed(made).run,
        Ages(made).run,
        Sweeper(made).run,
        Broom(made, store).run,
        Sealer(made.worker, vault.witness, anchors(settings, vault)).run,
        Rotation(made, vault).run,
        process.inbound.later.run,
        forgetting(made.worker, made.catalogue.services.values(), settings.retention_deliveries).run,
        notifications.forgetting(made.worker, settings).run,
    ]


def _seat(stack: AsyncExitStack, dsns: Dsns, settings: Settings, name: str) -> Seat:
    seat = Seat(partial(engine.connect, dsns.worker, name=f"crosstie {name}", **_limits(settings)))
    stack.push_async_callback(seat.close)
    return seat


async def _pool(stack: AsyncExitStack, dsn: str, settings: Settings, name: str) -> asyncpg.Pool:
    pool = await engine.pool(
        dsn,
        size=settings.pool_size,
        name=name,
        **_limits(settings),
    )
    stack.push_async_callback(pool.close)
    await refuse_powerful(pool)
    return pool


def _limits(settings: Settings) -> dict[str, int]:
    return {"statement_seconds": settings.statement_timeout, "idle_seconds": settings.transaction_timeout}


async def refuse_powerful(pool: asyncpg.Pool) -> None:
    """Raise ConfigurationError where a serving role could see past row-level security."""
    (row,) = await pool.fetch(
        "SELECT current_user AS name, rolsuper, rolbypassrls, EXISTS (SELECT FROM pg_class c JOIN pg_namespace n"
        " ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relowner = r.oid) AS owns"
        " FROM pg_roles r WHERE rolname = current_user"
    )
    for fact, words in (
        ("rolsuper", "is superuser"),
        ("rolbypassrls", "bypasses row-level security"),
        ("owns", "owns tables"),
    ):
        if row[fact]:
            raise ConfigurationError(
                f"The database role {row['name']} {words}: serve with a role that has no rights but those that"
                " `crosstie migrate` grants it."
            )


async def serve(
    settings: Settings,
    dsns: Dsns,
    *,
    api: bool,
    work: bool,
    name: str,
    listener: socket.socket | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run one process until SIGTERM or `stop`: the API, the worker, or both in one. Draining takes at most 30 s."""
    async with opened(settings, dsns, work=work, name=name) as process, asyncio.TaskGroup() as group:
        tasks = [group.create_task(run()) for run in process.tasks]
        gc.collect()
        gc.freeze()  # what is loaded now lives for good: the collector need not walk it
        gc.set_threshold(50_000, 20, 50)
        await Keeper(process.log.worker, settings).begin()
        if api:
            own = Own(process.log, Ring(process.log.app, process.vault, settings.signing_algorithm))
            tokens = Tokens(process.log.app, process.vault, settings.public_url, own, process.trusted)
            flows = Flows(process.log, own, tokens)
            uploads = Uploads(blobs(settings), settings.upload_limit)
            hub = Hub(process.log, tokens, process.news, Crowd(settings), f"{settings.public_url}/docs/errors")
            process.eyes.metrics.crowd = hub.crowd
            tasks.append(group.create_task(hub.run()))
            door = process.inbound.door
            web = server.build(
                process.log,
                process.ingest,
                tokens,
                process.eyes.metrics,
                settings,
                uploads,
                flows,
                hub,
                door,
                process.gateway,
            )
            usage = Usage(process.log.worker, tokens.used)
            tasks.append(group.create_task(usage.run()))
            await _listen(process.eyes.edge(web), hub, settings, listener, stop)
            await usage.flush()
        else:
            await (stop or _signalled()).wait()
        await process.ingest.drain()
        await asyncio.gather(*(relay.stop(10) for relay in process.relays))
        if process.worker:
            await process.worker.stop(20)
        for task in tasks:
            task.cancel()


def blobs(settings: Settings) -> Blobs:
    """Where files lie: a bucket, or a folder of HOME."""
    return bucket_of(settings, settings.s3_bucket) if settings.s3_bucket else Blobs.folder(settings.home / "media")


def bucket_of(settings: Settings, name: str) -> Blobs:
    """A bucket of the store that the settings name."""
    return Blobs.bucket(
        name,
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        key_id=settings.s3_access_key_id,
        secret=settings.s3_secret_access_key,
    )


def anchors(settings: Settings, vault: Vault) -> Anchors:
    """Where checkpoints of the audit log go, and what signs them."""
    bucket = bucket_of(settings, settings.audit_bucket) if settings.audit_bucket else None
    return Anchors(settings.home / anchor.FOLDER, vault.derive("audit-checkpoints"), bucket)


class Listening(uvicorn.Server):
    """A server that sends live readers away before it stops: they come back, and lose nothing."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        await self._hub.drain()
        await super().shutdown(sockets)


async def _listen(
    web: ASGIApp, hub: Hub, settings: Settings, listener: socket.socket | None, stop: asyncio.Event | None
) -> None:
    config = uvicorn.Config(
        web,
        host=settings.host,
        port=settings.port,
        http=bounded(f"{settings.public_url}/docs/errors"),
        ws=wire.Wire,
        ws_max_size=wire.SIZE,
        ws_ping_interval=wire.PING,
        ws_ping_timeout=wire.PONG,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=10,
        proxy_headers=False,
        backlog=4096,
        ssl_certfile=settings.tls_cert_file,
        ssl_keyfile=settings.tls_key_file,
    )
    config.load()
    if config.ssl:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
    listening = Listening(config, hub)

    async def watch() -> None:
        if stop:
            await stop.wait()
            listening.should_exit = True

    watching = asyncio.create_task(watch())
    await listening.serve(sockets=[listener] if listener else None)
    watching.cancel()


def _signalled() -> asyncio.Event:
    """Set at SIGTERM or SIGINT."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, event.set)
    return event
