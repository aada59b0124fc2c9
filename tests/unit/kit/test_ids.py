import string
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosstie.kit import ids

MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - zones are drawn
RFC_9562 = UUID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")


def test_ids_rise_and_never_repeat() -> None:
    made = [ids.uuid7() for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(isinstance(one, UUID) for one in made)
    assert {one.version for one in made} == {7}


def test_an_id_tells_when_it_was_made() -> None:
    assert ids.moment(RFC_9562) == datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    assert abs(ids.moment(ids.uuid7()) - datetime.now(UTC)) < timedelta(seconds=5)
    with pytest.raises(ValueError, match="UUIDv7"):
        ids.moment(uuid4())


@given(MOMENTS, st.integers(0, 2**74 - 1))
def test_the_floor_parts_ids_of_a_moment_from_earlier_ones(moment: datetime, bits: int) -> None:
    def made_at(milliseconds: int) -> UUID:
        return UUID(int=milliseconds << 80 | 7 << 76 | bits >> 62 << 64 | 2 << 62 | bits & (2**62 - 1))

    floor = ids.floor(moment)
    milliseconds = floor.int >> 80
    assert floor.version == 7
    assert floor.variant == RFC_9562.variant
    assert ids.moment(floor) <= moment < ids.moment(floor) + timedelta(milliseconds=1)
    assert floor <= made_at(milliseconds)
    assert milliseconds == 0 or made_at(milliseconds - 1) < floor


def test_no_floor_before_1970() -> None:
    assert str(ids.floor(datetime(1970, 1, 1, tzinfo=UTC))) == "00000000-0000-7000-8000-000000000000"
    with pytest.raises(ValueError, match="1970"):
        ids.floor(datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC))


@given(st.uuids())
def test_reads_canonical_ids(id: UUID) -> None:
    assert ids.parse(str(id)) == id
    assert ids.parse(str(id).upper()) == id


@pytest.mark.parametrize(
    "text",
    [
        "", RFC_9562.hex, "{" + str(RFC_9562) + "}", RFC_9562.urn, f"{RFC_9562}\n", f" {RFC_9562}", f"{RFC_9562}0",
        str(RFC_9562)[:-1], str(RFC_9562)[:-1] + "g", str(RFC_9562).replace("-", "_"), str(RFC_9562)[:-1] + "１",
        "017f22e279b0-7cc3-98c4-dc0c-0c07398f", "-" * 36,
    ],
)  # fmt: skip
def test_refuses_other_forms(text: str) -> None:
    with pytest.raises(ValueError, match="not a UUID"):
        ids.parse(text)


@given(st.integers(0, 2**128), st.integers(0, 10))
def test_base62_counts(number: int, width: int) -> None:
    text = ids.base62(number, width)
    value = 0
    for char in text:
        value = value * 62 + ids.ALPHABET.index(char)
    assert value == number
    assert len(text) == width or not text.startswith("0")


def test_base62_in_known_cases() -> None:
    assert string.digits + string.ascii_uppercase + string.ascii_lowercase == ids.ALPHABET
    assert [ids.base62(n, 1) for n in (0, 9, 10, 35, 36, 61, 62)] == ["0", "9", "A", "Z", "a", "z", "10"]
    assert ids.base62(2**32 - 1, 6) == "4gfFC3"
    assert (ids.base62(0), ids.base62(62)) == ("0", "10")
    assert ids.base62(1, 6) == "000001"
    with pytest.raises(ValueError, match="negative"):
        ids.base62(-1)


def test_tokens_have_the_published_form() -> None:
    made = {ids.token("ct_live") for _ in range(500)}
    assert len(made) == 500
    for token in made:
        body, check = token[:-6], token[-6:]
        value = 0
        for char in check:
            value = value * 62 + ids.ALPHABET.index(char)
        assert value == crc32(body.encode())
        assert body.startswith("ct_live_")
        assert len(body) == len("ct_live_") + 30
        assert set(body[8:]) <= set(ids.ALPHABET)
        assert ids.checked(token)
    assert {char for token in made for char in token[8:38]} == set(ids.ALPHABET)


def test_a_known_token() -> None:
    assert ids.checked("ct_test_0123456789ABCDEFGHIJKL1MCqeS")
    assert not ids.checked("ct_live_0123456789ABCDEFGHIJKL1MCqeS")


def test_every_single_typing_error_is_found() -> None:
    token = ids.token("ct_test")
    for at, char in enumerate(token):
        for other in {"0", "z", "O", "_", "é", chr(ord(char) ^ 1)} - {char}:
            assert not ids.checked(token[:at] + other + token[at + 1 :])
        assert not ids.checked(token[:at] + token[at + 1 :])


def test_what_is_too_short_or_long_is_no_token() -> None:
    def signed(body: str) -> str:
        return body + ids.base62(crc32(body.encode()), 6)

    assert ids.checked(signed("ct_live_" + "a" * 22))
    assert ids.checked(signed("ct_live_" + "a" * 94))
    assert not ids.checked(signed("ct_live_" + "a" * 21))
    assert not ids.checked(signed("ct_live_" + "a" * 95))
    assert not ids.checked(signed("a" * 30))
    assert not ids.checked(signed("CT_" + "a" * 30))
    assert not ids.checked(signed("ct_live_" + "a" * 22) + "\n")


@given(st.text())
def test_any_text_can_be_checked(text: str) -> None:
    assert not ids.checked(text)
    assert not ids.checked("ct_live_" + text)
