"""The transit engine: our client against a server of our own, which hvac, the client of others, finds true as well."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path

import hvac
import pytest

from crosstie.access.master import WrappedMasters
from crosstie.kit.transit import Transit, TransitError
from tests.fence import until
from tests.parts.keeper import Keeper, keeping

SECRET, BOUND = b"thirty-two bytes of a master key", b"crosstie master key"


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    with keeping() as found:
        yield found


@pytest.fixture
def token(tmp_path: Path, keeper: Keeper) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{keeper.token()}\n")
    return path


@pytest.fixture
def transit(keeper: Keeper, token: Path) -> Transit:
    return Transit(keeper.url, token, mount="transit", key="crosstie")


def put(path: Path, token: str) -> None:
    path.write_text(token)


async def test_what_is_sealed_opens_with_what_it_is_bound_to(transit: Transit, keeper: Keeper) -> None:
    sealed = await transit.encrypt(SECRET, BOUND)
    assert sealed.startswith("vault:v1:")
    assert await transit.decrypt(sealed, BOUND) == SECRET
    keeper.rotate()
    assert (await transit.encrypt(SECRET, BOUND)).startswith("vault:v2:")
    assert await transit.decrypt(sealed, BOUND) == SECRET
    for bad, bound in ((sealed, b"another"), (sealed[:-8] + "AAAAAAA=", BOUND), ("hunter2", BOUND)):
        with pytest.raises(TransitError, match="invalid ciphertext"):
            await transit.decrypt(bad, bound)
    keeper.keys["crosstie"].oldest = 2
    with pytest.raises(TransitError, match="too old"):
        await transit.decrypt(sealed, BOUND)


def test_the_client_of_others_finds_the_same(keeper: Keeper) -> None:
    keeper.namespace = "acme"
    client = hvac.Client(url=keeper.url, token=keeper.token(), namespace="acme")
    engine = client.secrets.transit
    made = engine.encrypt_data("crosstie", plaintext=b64encode(SECRET).decode())["data"]["ciphertext"]
    keeper.rotate()
    again = engine.rewrap_data("crosstie", ciphertext=made)["data"]["ciphertext"]
    assert again.startswith("vault:v2:")
    opened = engine.decrypt_data("crosstie", ciphertext=again)["data"]["plaintext"]
    assert b64decode(opened) == SECRET
    assert client.auth.token.renew_self()["auth"]["renewable"]
    with pytest.raises(hvac.exceptions.InvalidRequest):
        engine.decrypt_data("crosstie", ciphertext="vault:v1:AAAA", associated_data="")
    keeper.sealed = True
    with pytest.raises(hvac.exceptions.VaultDown):
        engine.decrypt_data("crosstie", ciphertext=again)
    client.adapter.close()


async def test_each_refusal_says_what_to_do(keeper: Keeper, token: Path, transit: Transit) -> None:
    elsewhere = Transit(keeper.url, token, mount="other", key="crosstie")
    unknown = Transit(keeper.url, token, mount="transit", key="nobodys")
    with pytest.raises(TransitError, match="no such engine"):
        await elsewhere.encrypt(SECRET, BOUND)
    with pytest.raises(TransitError, match="not found"):
        await unknown.encrypt(SECRET, BOUND)
    keeper.namespace = "acme"
    with pytest.raises(TransitError, match="no such engine"):
        await transit.encrypt(SECRET, BOUND)
    inside = Transit(keeper.url, token, mount="transit", key="crosstie", namespace="acme")
    assert await inside.encrypt(SECRET, BOUND)
    keeper.sealed = True
    with pytest.raises(TransitError, match="unseal it"):
        await inside.encrypt(SECRET, BOUND)
    nobody = Transit("http://127.0.0.1:9", token, mount="transit", key="crosstie")
    with pytest.raises(TransitError, match="does not answer"):
        await nobody.encrypt(SECRET, BOUND)


async def test_tokens_are_renewed_read_anew_and_refused(keeper: Keeper, token: Path, transit: Transit) -> None:
    assert await transit.renew() == 3600
    keeper.tokens.clear()
    with pytest.raises(TransitError, match="refuses the token"):
        await transit.renew()
    put(token, keeper.token(allowed=False))
    assert await transit.renew()
    with pytest.raises(TransitError, match="refuses the token"):
        await transit.encrypt(SECRET, BOUND)
    put(token, keeper.token())
    assert await transit.encrypt(SECRET, BOUND)


async def test_a_token_for_ever_needs_no_renewal_and_one_that_ends_is_told_of(
    keeper: Keeper, token: Path, transit: Transit
) -> None:
    put(token, keeper.token(0))
    assert await transit.renew() == 0
    put(token, keeper.token(renewable=False))
    with pytest.raises(TransitError, match=r"ends in \d+ s and cannot be renewed"):
        await transit.renew()


async def test_a_token_lives_on_through_a_renewal_that_failed(keeper: Keeper, token: Path, transit: Transit) -> None:
    put(token, keeper.token(8))
    living = asyncio.create_task(WrappedMasters(transit).live())
    try:
        await until(lambda: _now(keeper.asked.count("renew-self") == 1))
        keeper.sealed = True
        await until(lambda: _now(keeper.refused == 1))
        keeper.sealed = False
        await until(lambda: _now(keeper.asked.count("renew-self") == 3))
        assert await transit.encrypt(SECRET, BOUND)
    finally:
        living.cancel()


async def _now(found: bool) -> bool:
    return found
