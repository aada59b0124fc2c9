"""Which key signs, which are shown, and when the next is made: all from the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from joserfc.jwk import ECKey

from crosstie.access.oauth.ring import AHEAD, KEPT, SIGNS, Signing, alive, due, signer
from crosstie.kit import ids

START = datetime(2027, 1, 1, tzinfo=UTC)
KEY = ECKey.generate_key("P-256")
SECOND = timedelta(seconds=1)


def key(signs_from: datetime) -> Signing:
    return Signing(ids.uuid7(), "ES256", KEY, KEY, signs_from)


def test_one_key_signs_until_the_next_one_has_been_shown_long_enough() -> None:
    first, second = key(START), key(START + SIGNS)
    assert due([], START)
    assert not due([START], START + SIGNS - AHEAD - SECOND)
    made = START + SIGNS - AHEAD
    assert due([START], made)
    assert not due([START, START + SIGNS], made)
    assert signer([first, second], made).id == first.id
    assert signer([first, second], START + SIGNS - SECOND).id == first.id
    assert signer([first, second], START + SIGNS).id == second.id
    assert signer([second], START).id == second.id, "the one before was taken away"
    assert alive([second, first], made) == [first, second], "the next one is shown before it signs"


def test_a_key_is_shown_until_what_it_signed_is_over() -> None:
    first, second = key(START), key(START + SIGNS)
    assert first in alive([first, second], START + SIGNS + KEPT - SECOND)
    assert alive([first, second], START + SIGNS + KEPT) == [second]
    assert alive([first], START + 100 * SIGNS) == [first], "the last one stays, however old"
    assert timedelta(minutes=10) < KEPT
    assert timedelta(seconds=300) < AHEAD


def test_two_of_one_moment_agree_on_who_signs() -> None:
    one, other = key(START), key(START)
    assert signer([one, other], START) == signer([other, one], START)
    assert set(map(id, alive([one, other], START))) == {id(one), id(other)}
