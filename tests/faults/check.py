"""The judge: two ledgers and the log of crashes in, a count of everything that must not be out.

It knows nothing of Crosstie, its code or its database. The words are those of Jepsen's queue checker: attempted,
acknowledged, ok, lost, recovered, unexpected, duplicated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

#: a run with any of these has failed
FAULTS = (
    "lost",
    "unsigned",
    "unexpected",
    "mutated",
    "refused_but_sent",
    "twin",
    "duplicate_unjustified",
    "disorder",
)
Word = Literal["ack", "refused", "unknown"]
#: seconds around a crash within which it explains a repeat
SLACK = 1.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What the sender knows of one event: acknowledged, refused, or neither (the answer never came)."""

    id: str
    key: str | None
    seq: int
    hash: str
    state: Word


@dataclass(frozen=True, slots=True)
class Got:
    """One request at one endpoint. `wire` is the id in its headers, `body` the hash of all its bytes."""

    start: float
    end: float
    id: str
    wire: str
    key: str | None
    seq: int
    hash: str
    body: str
    signed: bool
    status: int

    @property
    def ok(self) -> bool:
        """Whether the receiver took it."""
        return self.status // 100 == 2


@dataclass(frozen=True, slots=True)
class Crash:
    """Something was down, from and to these moments (Unix seconds)."""

    victim: str
    start: float
    end: float


def check(
    sent: Mapping[str, Sent], got: Iterable[Got], crashes: Sequence[Crash], *, ordered: bool, slack: float = SLACK
) -> Counter[str]:
    """The judgement on one endpoint that hears of everything its tenant sent."""
    judge = Judge(sent, crashes, ordered, slack)
    for each in sorted(got, key=lambda g: (g.start, g.end)):
        judge.hear(each)
    return judge.verdict()


class Judge:
    """Goes through the requests of one endpoint by the time of their start."""

    def __init__(self, sent: Mapping[str, Sent], crashes: Sequence[Crash], ordered: bool, slack: float) -> None:
        self._sent = sent
        self._crashes = crashes
        self._ordered = ordered
        self._slack = slack
        self._count: Counter[str] = Counter()
        self._seen: dict[str, Got] = {}
        self._first: dict[str, Got] = {}
        self._last: dict[str, Got] = {}
        self._of_key: dict[str, dict[int, str]] = {}
        for each in sent.values():
            if each.key is not None and each.state != "refused":
                self._of_key.setdefault(each.key, {})[each.seq] = each.id

    def hear(self, got: Got) -> None:
        """One request."""
        self._count["requests"] += 1
        if not got.signed:
            self._count["unsigned"] += 1
            return
        known = self._sent.get(got.id)
        if known is None:
            self._count["unexpected"] += 1
            return
        before = self._seen.setdefault(got.id, got)
        if before.wire != got.wire:
            self._count["twin"] += 1  # one effect was wanted, and two were made
            return
        if (known.key, known.seq, known.hash) != (got.key, got.seq, got.hash) or before.body != got.body:
            self._count["mutated"] += 1
            return
        if known.state == "refused":
            self._count["refused_but_sent"] += 1
        self._count["disorder"] += self._ordered and self._early(got)
        if got.id in self._last:
            self._count["duplicate"] += 1
            self._count["duplicate_unjustified"] += not self._explained(self._last[got.id])
        if got.ok:
            self._first.setdefault(got.id, got)
            self._last[got.id] = got

    def _early(self, got: Got) -> bool:
        """Whether it began before the one ahead of it was through."""
        if got.key is None or got.id in self._first:
            return False
        ahead = self._of_key[got.key].get(got.seq - 1)
        return ahead is not None and (ahead not in self._first or self._first[ahead].end > got.start)

    def _explained(self, taken: Got) -> bool:
        return any(c.start - self._slack <= taken.end and taken.start <= c.end + self._slack for c in self._crashes)

    def verdict(self) -> Counter[str]:
        """The counts; no more is heard."""
        for id, each in self._sent.items():
            self._count["events"] += 1
            if id in self._first:
                self._count["ok"] += 1
                self._count["recovered"] += each.state == "unknown"
            elif each.state == "ack":
                self._count["lost"] += 1
        return +self._count


def faults(count: Mapping[str, int]) -> dict[str, int]:
    """Of a judgement, what must not be."""
    return {name: count[name] for name in FAULTS if count.get(name)}
