"""The judge is judged first: a clean world passes, and every way of spoiling its ledgers is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.faults.check import Crash, Got, Sent, check, faults

KEYS, EACH = 5, 40
CRASH = Crash("worker", 10.0, 12.0)


def world() -> tuple[dict[str, Sent], list[Got]]:
    """Every event acknowledged and heard once, in order; the first of each key refused once before it was taken."""
    sent, got = {}, []
    for seq in range(EACH):
        for key in range(KEYS):
            id, at = f"{key}-{seq}", seq + key / 10
            sent[id] = Sent(id, f"k{key}", seq, f"h{id}", "ack")
            if seq == 0:
                got.append(Got(at - 1, at - 0.9, id, f"w{id}", f"k{key}", seq, f"h{id}", f"b{id}", True, 500))
            got.append(Got(at, at + 0.05, id, f"w{id}", f"k{key}", seq, f"h{id}", f"b{id}", True, 200))
    sent["no"] = Sent("no", None, 0, "hno", "refused")
    return sent, got


Spoil = Callable[[dict[str, Sent], list[Got]], None]


def _drop(sent: dict[str, Sent], got: list[Got]) -> None:
    got[:] = [each for each in got if each.id != "2-39"]


def _again(sent: dict[str, Sent], got: list[Got]) -> None:
    got.append(replace(got[-1], start=99.0, end=99.1))


def _swap(sent: dict[str, Sent], got: list[Got]) -> None:
    first, second = (next(n for n, g in enumerate(got) if g.id == id) for id in ("3-20", "3-21"))
    a, b = got[first], got[second]
    got[first], got[second] = replace(a, start=b.start, end=b.end), replace(b, start=a.start, end=a.end)


def _overlap(sent: dict[str, Sent], got: list[Got]) -> None:
    number = next(n for n, g in enumerate(got) if g.id == "3-20")
    got[number] = replace(got[number], end=got[number].end + 2)


def _unsigned(sent: dict[str, Sent], got: list[Got]) -> None:
    got.append(replace(got[7], signed=False))


def _flip(sent: dict[str, Sent], got: list[Got]) -> None:
    got[50] = replace(got[50], hash="other")


def _rewrite(sent: dict[str, Sent], got: list[Got]) -> None:
    number = next(n for n, g in enumerate(got) if g.id == "0-0" and g.status == 500)
    got[number] = replace(got[number], body="other")


def _foreign(sent: dict[str, Sent], got: list[Got]) -> None:
    got.append(replace(got[9], id="of-another-tenant"))


def _only_failed(sent: dict[str, Sent], got: list[Got]) -> None:
    got[:] = [replace(each, status=500) if each.id == "4-11" else each for each in got]


def _refused(sent: dict[str, Sent], got: list[Got]) -> None:
    got.append(Got(50, 51, "no", "wno", None, 0, "hno", "bno", True, 200))


def _twice(sent: dict[str, Sent], got: list[Got]) -> None:
    got.append(replace(got[20], wire="another", start=10.5, end=10.6))


MUTATIONS: dict[Spoil, str] = {
    _drop: "lost",
    _again: "duplicate_unjustified",
    _swap: "disorder",
    _overlap: "disorder",
    _unsigned: "unsigned",
    _flip: "mutated",
    _rewrite: "mutated",
    _foreign: "unexpected",
    _only_failed: "lost",
    _refused: "refused_but_sent",
    _twice: "twin",
}


def test_a_clean_world_passes() -> None:
    sent, got = world()
    count = check(sent, got, [], ordered=True)
    assert not faults(count), count
    assert count["ok"] == KEYS * EACH
    assert count["requests"] == KEYS * EACH + KEYS


@pytest.mark.parametrize(("spoil", "fault"), MUTATIONS.items(), ids=lambda each: getattr(each, "__name__", each))
def test_what_spoils_a_ledger_is_seen(spoil: Spoil, fault: str) -> None:
    sent, got = world()
    spoil(sent, got)
    assert fault in faults(check(sent, got, [CRASH], ordered=True))


def test_a_crash_explains_a_repeat_of_what_was_under_way_and_of_nothing_else() -> None:
    sent, got = world()
    under_way = next(each for each in got if each.id == "0-11")
    count = check(sent, [*got, replace(under_way, start=31.0, end=31.1)], [CRASH], ordered=True)
    assert (count["duplicate"], faults(count)) == (1, {})
    long_before = next(each for each in got if each.id == "0-5")
    count = check(sent, [*got, replace(long_before, start=31.0, end=31.1)], [CRASH], ordered=True)
    assert faults(count) == {"duplicate_unjustified": 1}


def test_an_event_whose_answer_never_came_may_or_may_not_be_there() -> None:
    sent, got = world()
    sent["1-39"] = replace(sent["1-39"], state="unknown")
    assert check(sent, got, [], ordered=True)["recovered"] == 1
    count = check(sent, [each for each in got if each.id != "1-39"], [], ordered=True)
    assert not faults(count)
