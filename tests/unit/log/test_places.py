"""Who gets a place to send: no tenant may take all, and each that waits has its turn."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosstie.log.places import Places

CROWD, CALM, QUIET = (UUID(int=number) for number in range(3))


@pytest.fixture
def places() -> Places:
    return Places(4)


def sent(places: Places, tenant: UUID, queue: UUID) -> bool:
    places.hold(tenant)
    return places.take(tenant, queue)


def test_half_of_the_places_are_left_to_others(places: Places) -> None:
    assert [sent(places, CROWD, uuid4()) for _ in range(3)] == [True, True, False]
    assert [sent(places, CALM, uuid4()) for _ in range(3)] == [True, True, False]
    assert not sent(places, QUIET, uuid4())


def test_those_that_wait_have_their_turn_tenant_by_tenant(places: Places) -> None:
    queues = [UUID(int=number) for number in range(10, 16)]
    for tenant in (CROWD, CROWD, CALM, CALM):
        assert sent(places, tenant, uuid4())
    for tenant, queue in zip((CROWD, CROWD, CALM, QUIET), queues, strict=False):
        assert not sent(places, tenant, queue)
    assert places.turn() is None
    turns = []
    for tenant in (CROWD, CROWD, CALM):
        places.give(tenant)
        turns.append(places.turn())
    assert turns == [queues[0], queues[3], queues[2]]
    assert places.turn() == queues[1]
    assert places.turn() is None


def test_a_tenant_at_its_share_does_not_hold_up_those_behind_it(places: Places) -> None:
    first, second = uuid4(), uuid4()
    assert [sent(places, CROWD, first) for _ in range(3)] == [True, True, False]
    assert [sent(places, CALM, second) for _ in range(3)] == [True, True, False]
    places.give(CALM)
    assert places.turn() == second


def test_leases_are_bounded_by_tenant(places: Places) -> None:
    for _ in range(4):
        places.hold(CROWD)
    assert (places.room(CROWD), places.room(CALM)) == (0, 4)
    assert places.take(CROWD, uuid4())
    places.give(CROWD)
    assert places.room(CROWD) == 1


@given(st.lists(st.tuples(st.sampled_from((CROWD, CALM, QUIET)), st.booleans()), max_size=60))
def test_no_more_are_taken_than_there_are(steps: list[tuple[UUID, bool]]) -> None:
    places, taken = Places(4), list[UUID]()
    for tenant, comes in steps:
        if comes and sent(places, tenant, uuid4()):
            taken.append(tenant)
        elif not comes and tenant in taken:
            taken.remove(tenant)
            places.give(tenant)
        assert len(taken) <= 4
        assert all(taken.count(each) <= 2 for each in set(taken))
        assert places.full == (len(taken) == 4)
