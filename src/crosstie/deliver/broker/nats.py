"""NATS JetStream: an event out is a message of a stream, acknowledged by the server; events in are pulled from one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from urllib.parse import unquote, urlsplit

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import MaxPayloadError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, PubAck, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NoStreamResponseError, NotFoundError

from crosstie.deliver.broker.address import Address
from crosstie.deliver.broker.line import (
    CONFIRM,
    PREFETCH,
    WINDOW,
    Incoming,
    Names,
    Outgoing,
    Refused,
    drained,
    prefix,
)

#: seconds that a stream of ours keeps a message, bytes that it keeps, seconds in which it knows a repeat
AGE, BYTES, REPEATS = 7 * 86_400, 1 << 30, 120
#: the durable consumer and its queue group, and seconds after which an unacknowledged message is handed out again
DURABLE, PATIENCE = "crosstie", 30
#: seconds between two looks whether the server still has our consumers
LOOK = 10.0


class Received:
    """A message of a stream."""

    def __init__(self, message: Msg, line: NatsLine) -> None:
        self.body = message.data
        self.headers: Mapping[str, str] = message.headers or {}
        self._message = message
        self._line = line

    async def ack(self) -> None:
        await self._message.ack()

    async def later(self, seconds: float) -> None:
        await self._message.nak(delay=seconds)

    async def bury(self, cause: str) -> None:
        await self._line.bury(self._message, cause)
        await self._message.ack()


class NatsLine:
    """A line to a NATS server with JetStream."""

    def __init__(self, address: Address, names: Names, *, reads: bool = True) -> None:
        self._address = address
        self._names = names
        self._reads = reads
        self._client: Client | None = None
        self._jetstream: JetStreamContext | None = None
        #: confirms that are waited for
        self._confirms: set[asyncio.Future[PubAck]] = set()
        self._closed = asyncio.Event()
        self._subscriptions: list[JetStreamContext.PushSubscription] = []
        self._came: asyncio.Queue[Incoming] = asyncio.Queue()
        self._dead = f"{prefix(names.into).removesuffix('.in') or 'crosstie'}.dead"

    @property
    def _stream(self) -> JetStreamContext:
        assert self._jetstream is not None
        return self._jetstream

    async def open(self) -> None:
        """Connect, make the streams that are missing, and take up the durable consumer."""
        self._closed.clear()
        self._came = asyncio.Queue()

        async def lost() -> None:
            self._closed.set()

        async def told(error: Exception) -> None:
            """Its client logs with a stack where nobody listens."""

        url = urlsplit(self._address.url)
        self._client = await nats.connect(
            url._replace(netloc=url.netloc.rpartition("@")[2]).geturl(),
            name="crosstie",
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            ping_interval=10,
            connect_timeout=5,
            closed_cb=lost,
            disconnected_cb=lost,
            error_cb=told,
            **_credential(url.username, url.password),
        )
        self._jetstream = self._client.jetstream(timeout=CONFIRM, publish_async_max_pending=2 * WINDOW)
        if prefix(self._names.out):
            await self._ensure(prefix(self._names.out), DiscardPolicy.OLD)
        if self._reads:
            await self._ensure(self._dead, DiscardPolicy.OLD)
            self._subscriptions = []
            await self._bind()

    async def _bind(self) -> None:
        """Read what there is to read and is not read yet."""
        known = {subscription.subject for subscription in self._subscriptions}
        for stream, subject in await self._sources():
            if subject not in known:
                self._subscriptions.append(await self._bound(stream, subject))

    async def _sources(self) -> list[tuple[str, str]]:
        """Streams to read, with the subject: ours, or with a bare template those that others keep of each domain."""
        into = prefix(self._names.into)
        if into:
            # who sends is told when there is no room: an acknowledged message is never pushed out by a later one
            return [(await self._ensure(into, DiscardPolicy.NEW), f"{into}.>")]
        found = []
        for domain in self._names.domains:
            try:
                found.append((await self._stream.find_stream_name_by_subject(f"{domain}.>"), f"{domain}.>"))
            except NotFoundError:
                continue
        return found

    async def _ensure(self, name: str, discard: DiscardPolicy) -> str:
        """Make a stream where it is missing; one that is there stays as its operator set it."""
        stream = name.upper().replace(".", "_")
        try:
            await self._stream.stream_info(stream)
        except NotFoundError:
            await self._stream.add_stream(
                StreamConfig(
                    name=stream,
                    subjects=[f"{name}.>"],
                    retention=RetentionPolicy.LIMITS,
                    storage=StorageType.FILE,
                    max_age=AGE,
                    max_bytes=BYTES,
                    discard=discard,
                    duplicate_window=REPEATS,
                )
            )
        return stream

    async def _bound(self, stream: str, subject: str) -> JetStreamContext.PushSubscription:
        """Take part in the durable consumer: of several processes each message goes to one."""
        durable = DURABLE if prefix(self._names.into) else f"{DURABLE}_{subject.partition('.')[0]}"
        came = self._came

        async def come(message: Msg) -> None:
            came.put_nowait(Received(message, self))

        config = ConsumerConfig(
            ack_policy=AckPolicy.EXPLICIT, ack_wait=PATIENCE, max_deliver=-1, max_ack_pending=PREFETCH
        )
        return await self._stream.subscribe(
            subject, queue=durable, durable=durable, stream=stream, config=config, cb=come, manual_ack=True
        )

    async def closed(self) -> None:
        """Return when the connection is gone, or the server forgot what we made there."""
        while not self._closed.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._closed.wait()
            for subscription in self._subscriptions:
                await subscription.consumer_info()
            if self._reads and not prefix(self._names.into) and not self._closed.is_set():
                await self._bind()  # a partner service may start, and make its stream, after us

    async def close(self) -> None:
        client, self._client, self._subscriptions = self._client, None, []
        for confirm in self._confirms:
            confirm.cancel()  # the client leaves them waiting for ever
        if client is not None:
            try:
                await client.close()
            except Exception:  # noqa: BLE001  # it is gone either way
                return

    async def publish(self, message: Outgoing) -> None:
        """Publish with the server's acknowledgement."""
        subject = self._names.out.format(event_type=message.event.type)
        headers = message.headers(self._names.origin)
        headers["Nats-Msg-Id"] = message.deduplication
        try:
            confirm = await self._stream.publish_async(subject, message.event.envelope(), headers=headers)
            self._confirms.add(confirm)
            try:
                await confirm
            finally:
                self._confirms.discard(confirm)
        except MaxPayloadError:
            raise Refused("too_large", "The event is larger than the server takes.") from None
        except NoStreamResponseError:
            if not prefix(self._names.out):
                raise Refused("no_stream", f"No stream takes {subject}.") from None
            self._closed.set()  # the server lost our stream: it is made again
            raise

    async def take(self) -> Sequence[Incoming]:
        """The next messages of all consumers."""
        return await drained(self._came)

    async def bury(self, message: Msg, cause: str) -> None:
        """Keep a message in the stream of the dead."""
        headers = {**(message.headers or {}), "Crosstie-Cause": cause}
        headers.pop("Nats-Msg-Id", None)
        await self._stream.publish(f"{self._dead}.{message.subject}", message.data, timeout=CONFIRM, headers=headers)


def _credential(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    return {"token": unquote(user)} if password is None else {"user": unquote(user), "password": unquote(password)}
