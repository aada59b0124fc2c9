"""One client: a place in the log, topics, and nothing buffered. What it has not taken stays where it is: in the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from crosstie.api.live import frame
from crosstie.api.live.frame import Entry, Frame
from crosstie.api.live.tail import Tail
from crosstie.api.live.topic import Interest, Rights, Topic
from crosstie.errors import Problem
from crosstie.log.read import Cursor

#: events that a client takes at once: from memory, and of its own from the log
CHUNK, PAGE = 200, 50
#: seconds that a client has to take its last words: what it has not taken by then, it does not get
LAST = 2.0


@dataclass(frozen=True, slots=True)
class End:
    """Why a client is sent away, and the code that a WebSocket closes with."""

    code: int
    problem: Problem | None = None

    @property
    def reason(self) -> str:
        """In one word: the problem's code, or that the process stops."""
        return self.problem.code if self.problem else "restart"


class Client:
    """What one connection hears of."""

    def __init__(self, tail: Tail, rights: Rights, docs: str, request_id: str) -> None:
        self._tail = tail
        self._docs = docs
        self._request_id = request_id
        self.rights = rights
        #: set when there is something to do for it
        self.stir = asyncio.Event()
        #: topics in force, each with the place behind which it begins
        self.topics: dict[Topic, Cursor] = {}
        self._interest = Interest((), rights)
        self.place = tail.end
        self._number: int | None = tail.number
        #: the last place behind which a topic begins: from there on nothing but the topics matters
        self._latest = self.place
        self._notices: list[tuple[Callable[[], Frame], asyncio.Future[None]]] = []
        self._end: End | None = None
        self._over = asyncio.Event()

    @property
    def end(self) -> End | None:
        """Why it is over, once it is."""
        return self._end

    def refusal(self, problem: Problem, topic: str | None = None) -> Frame:
        """An error for this client."""
        return frame.refused(problem, self._docs, self._request_id, topic)

    def tell(self, make: Callable[[], Frame]) -> asyncio.Future[None]:
        """A word of the server in its place between events: made once all before it was taken; done once it is."""
        taken = asyncio.get_running_loop().create_future()
        self._notices.append((make, taken))
        self.stir.set()
        return taken

    def standing(self, topics: Iterable[Topic] = (), place: Cursor | None = None) -> Frame:
        """The topics in force, with those to come, and where a reader with all of them stands."""
        names = dict.fromkeys(topic.name for topic in (*self.topics, *topics))
        places = [each for each in (self.place if self.topics else place, place) if each is not None]
        return frame.subscribed(names, min(places, default=self.place))

    def add(self, topics: Mapping[Topic, Cursor]) -> None:
        """Hear of these topics too, of each what follows its place. Goes back in the log where one is in the past."""
        first = min(topics.values())
        if not self.topics or first < self.place:
            # what the others brought up to here is not brought again
            self.topics = {topic: max(start, self.place) for topic, start in self.topics.items()}
            self.place, self._number = first, None
        self.topics |= topics
        self._changed()

    def drop(self, names: Iterable[str]) -> None:
        """Hear of these topics no more."""
        unwanted = set(names)
        self.topics = {topic: place for topic, place in self.topics.items() if topic.name not in unwanted}
        self._changed()

    def narrow(self, rights: Rights) -> None:
        """Its rights are other ones now: what it may no longer read is dropped, and it is told."""
        self.rights = rights
        for topic in list(self.topics):
            try:
                rights.check(topic)
            except Problem as problem:
                del self.topics[topic]
                self.tell(partial(self.refusal, problem, topic.name))
        self._changed()

    def send_away(self, end: End) -> None:
        """It is over, after a last word."""
        if self._end is None:
            self._end = end
            if end.problem is not None:
                self.tell(partial(self.refusal, end.problem))
            self.stir.set()
            self._over.set()

    def _changed(self) -> None:
        self._interest = Interest(self.topics, self.rights)
        self._latest = max(self.topics.values(), default=self.place)
        self.stir.set()

    async def served(self, *work: asyncio.Task[None]) -> None:
        """Return when some of the work for it is done, or when it is over and has had its time."""
        over = asyncio.create_task(self._over.wait())
        try:
            done, _ = await asyncio.wait({over, *work}, return_when=asyncio.FIRST_COMPLETED)
            if done == {over}:
                await asyncio.wait(work, timeout=LAST, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()

    async def frames(self, idle: float | None = None) -> AsyncIterator[Sequence[Frame]]:
        """What to send, piece by piece, until it is over; nothing after so many idle seconds.

        The next piece is looked for when the one before was taken.
        """
        clock = asyncio.get_running_loop().time
        said = clock()
        while True:
            self.stir.clear()
            if self._notices:
                notices, self._notices = self._notices, []
                yield [make() for make, _ in notices]
                for _, taken in notices:
                    if not taken.done():
                        taken.set_result(None)
            if self._end is not None:
                return
            found = await self._next()
            if found is None:
                try:
                    async with asyncio.timeout_at(said + idle if idle else None):
                        await self.stir.wait()
                    continue
                except TimeoutError:
                    found = ()
            elif not found:
                continue
            yield found
            said = clock()

    async def _next(self) -> Sequence[Frame] | None:
        """The frames of the next stretch of the log; None where there is none yet."""
        if self._number is None:
            self._number = self._tail.find(self.place)
        entries = self._tail.since(self._number) if self._number is not None else None
        if entries is None:
            return await self._further()
        if not entries:
            return None
        entries = entries[:CHUNK]
        assert self._number is not None
        self._number += len(entries)
        return self._passed(entries, entries[-1].place)

    async def _further(self) -> Sequence[Frame]:
        """The next stretch from the log itself, where memory does not reach back to this client."""
        before = self.place
        entries, place = await self._tail.page(before, PAGE)
        if self.place != before:
            return ()  # a new topic led it elsewhere meanwhile
        self._number = None
        return self._passed(entries, place)

    def _passed(self, entries: Sequence[Entry], place: Cursor) -> Sequence[Frame]:
        interest = self._interest
        if self.place < self._latest:
            found = [entry for entry in entries if self._begun(entry)]
        else:
            found = [entry for entry in entries if interest.takes(entry.type, entry.kind, entry.id)]
        self.place = place
        return found

    def _begun(self, entry: Entry) -> bool:
        """Whether a topic that begins before this event wants it."""
        topics = [topic for topic, start in self.topics.items() if start < entry.place]
        return Interest(topics, self.rights).takes(entry.type, entry.kind, entry.id)
