"""Whether a password is the one that is kept."""

from __future__ import annotations

from crosstie.access import password
from crosstie.access.password import LONGEST


async def test_the_password_and_no_other_fits() -> None:
    kept = await password.hashed("velvet gravel harmonica 41")
    assert await password.fits(kept, "velvet gravel harmonica 41")
    assert not await password.fits(kept, "velvet gravel harmonica 42")


async def test_where_none_is_kept_none_fits() -> None:
    """Not even the one that is verified in its place, so that it takes as long."""
    assert not await password.fits(None, "nobody's password")


async def test_what_is_longer_than_any_is_not_even_hashed() -> None:
    long = "x" * (LONGEST + 1)
    assert not await password.fits(await password.hashed(long), long)
