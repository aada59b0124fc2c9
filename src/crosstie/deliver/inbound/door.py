"""The door: a request comes in, is proved, counted once and kept; only then is it answered."""

from __future__ import annotations

from collections.abc import Mapping

from crosstie.access.limit import Meter
from crosstie.deliver.inbound.directory import Source, Sources
from crosstie.deliver.inbound.keep import Keeper, Outcome
from crosstie.deliver.inbound.knock import Knock, Refused
from crosstie.deliver.inbound.reading import Reader
from crosstie.deliver.inbound.reply import Replies
from crosstie.errors import TooManyRequests, Unauthorized
from crosstie.kit import ids
from crosstie.log.idempotency import Answer

#: refused requests of one source that are kept in a minute
REFUSED = 600
UNPROVED = {"WWW-Authenticate": 'Webhook realm="crosstie"'}


class Door:
    """Takes what knocks. One per process."""

    def __init__(
        self, sources: Sources, reader: Reader, keeper: Keeper, meter: Meter, replies: Replies, address: str
    ) -> None:
        self._sources = sources
        self._reader = reader
        self._keeper = keeper
        self._meter = meter
        self._replies = replies
        self._address = address
        self.knows = sources.knows

    async def take(
        self, token: str, headers: Mapping[str, str], body: bytes, query: str, ip: str | None, trace: str | None
    ) -> Answer:
        """Answer one request. Raises NotFound, Unauthorized, TooManyRequests, and what its event is refused for."""
        if "." in token:  # a provider answers a question of ours
            await self._replies.take(token, body)
            return Answer(200)
        url = f"{self._address}/hooks/{token}{'?' if query else ''}{query}"
        knock = Knock(headers, body, url, ip, trace)
        source = await self._proved(token, knock)
        await self._meter.take(source.tenant_id, source.actor, "hooks")
        greeting = source.dialect.greets(knock) if source.dialect.greets else None
        if greeting is not None:
            await self._keeper.keep(source, knock, Outcome("accepted", "greeting"))
            return greeting
        if source.suspended or source.dialect.confirm:
            reason = "tenant_suspended" if source.suspended else "unconfirmed"
            await self._keeper.keep(source, knock, Outcome("pending", reason))
            return source.dialect.thanks
        id = ids.uuid7()
        outcome, problem = await self._reader.settle(id, source, knock, source.said(knock))
        await self._keeper.keep(source, knock, outcome, id)
        if problem is not None:
            raise problem
        return source.dialect.thanks

    async def _proved(self, token: str, knock: Knock) -> Source:
        """The source that vouches for a request. Nobody is refused by what is no longer so."""
        source = await self._sources.find(token)
        try:
            source.prove(knock)
        except Refused:
            source = await self._sources.find(token, anew=True)
            try:
                source.prove(knock)
            except Refused as refused:
                await self._refuse(source, knock, refused.reason)
        return source

    async def _refuse(self, source: Source, knock: Knock, reason: str) -> None:
        """Keep it, unless there are too many of them."""
        try:
            await self._meter.take(source.tenant_id, source.actor, "refused")
        except TooManyRequests:
            self._keeper.observe(source.dialect.name, "rejected")
        else:
            await self._keeper.keep(source, knock, Outcome("rejected", reason, verified=False))
        raise Unauthorized("Nothing vouches for this request.", headers=UNPROVED)
