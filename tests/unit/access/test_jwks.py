"""Key sets: kept, asked for again with a measure, read with suspicion."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from crosstie.access.jwks import KEEP, REST, STALE, KeySets, NoKeys, Source, read
from crosstie.kit import json
from crosstie.kit.json import BadJson

ISSUER = "https://issuer.example/realm"
SOURCE = Source(ISSUER)
ES = ECKey.generate_key("P-256")


def public(key: Any, kid: str = "a", **more: Any) -> dict[str, Any]:
    return {**key.as_dict(private=False), "kid": kid, **more}


class Issuer:
    """Documents by address, each question counted, and a clock that is moved."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.now = 1000.0
        self.asked: list[str] = []
        self.down = False
        self.uri = f"{ISSUER}/keys"
        self.name = ISSUER
        self.keys = list(keys)
        self.sets = KeySets(self.fetch, lambda: self.now)

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        await asyncio.sleep(0)
        if self.down:
            raise OSError("down")
        if url == f"{ISSUER}/.well-known/openid-configuration":
            return json.dumps({"issuer": self.name, "jwks_uri": self.uri})
        assert url == self.uri
        return json.dumps({"keys": self.keys})

    async def knows(self, kid: str | None, alg: str = "ES256") -> bool:
        return await self.sets.find(SOURCE, kid, alg) is not None


async def test_a_set_is_found_by_discovery_and_kept() -> None:
    issuer = Issuer(public(ES))
    assert await issuer.knows("a")
    assert issuer.asked == [f"{ISSUER}/.well-known/openid-configuration", f"{ISSUER}/keys"]
    issuer.now += KEEP - 1
    assert await issuer.knows("a")
    assert len(issuer.asked) == 2


async def test_a_given_address_needs_no_discovery() -> None:
    issuer = Issuer(public(ES))
    assert await issuer.sets.find(Source(ISSUER, issuer.uri), "a", "ES256") is not None
    assert issuer.asked == [issuer.uri]


async def test_discovery_of_another_issuer_is_refused() -> None:
    for name in (f"{ISSUER}/", "https://evil.example"):
        issuer = Issuer(public(ES))
        issuer.name = name
        with pytest.raises(NoKeys):
            await issuer.knows("a")


async def test_many_at_once_cost_one_question() -> None:
    issuer = Issuer(public(ES))
    assert all(await asyncio.gather(*(issuer.knows("a") for _ in range(50))))
    assert len(issuer.asked) == 2


async def test_who_comes_while_the_answer_is_under_way_waits_for_it() -> None:
    issuer = Issuer(public(ES))

    async def meanwhile(kid: str) -> list[bool]:
        first = asyncio.create_task(issuer.knows(kid))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return [await issuer.knows(kid), await first]

    assert await meanwhile("a") == [True, True]
    issuer.keys.append(public(ECKey.generate_key("P-256"), "b"))
    assert await meanwhile("b") == [True, True]
    assert len(issuer.asked) == 4


async def test_keys_rotate_without_a_restart() -> None:
    issuer = Issuer(public(ES))
    assert await issuer.knows("a")
    issuer.keys = [public(ECKey.generate_key("P-256"), "b")]
    assert await issuer.knows("b"), "an unknown key is asked for at once"
    assert not await issuer.knows("a"), "what the issuer took back is no more"


async def test_unknown_keys_make_no_storm() -> None:
    issuer = Issuer(public(ES))
    assert await issuer.knows("a")
    for number in range(500):
        assert not await issuer.knows(f"made-up-{number}")
    assert len(issuer.asked) == 4
    issuer.now += REST + 1
    assert not await issuer.knows("made-up")
    assert len(issuer.asked) == 6


async def test_an_issuer_that_is_down_locks_nobody_out_for_a_day() -> None:
    issuer = Issuer(public(ES))
    assert await issuer.knows("a")
    issuer.down = True
    for _ in range(3):
        issuer.now += KEEP + 1
        assert await issuer.knows("a")
    asked = len(issuer.asked)
    assert await issuer.knows("a")
    assert len(issuer.asked) == asked, "a failure is remembered for a while"
    issuer.now += STALE
    with pytest.raises(NoKeys):
        await issuer.knows("a")
    issuer.down = False
    issuer.now += REST + 1
    assert await issuer.knows("a")


async def test_without_a_name_only_the_one_key_that_fits_is_meant() -> None:
    issuer = Issuer(public(ES), public(RSAKey.generate_key(2048), "r"))
    assert await issuer.knows(None)
    issuer = Issuer(public(ES), public(ECKey.generate_key("P-256"), "b"))
    assert not await issuer.knows(None)


async def test_a_key_signs_with_its_own_algorithm_alone() -> None:
    issuer = Issuer(
        public(ES), public(RSAKey.generate_key(2048), "r", alg="RS256"), public(OKPKey.generate_key("Ed25519"), "o")
    )
    assert not await issuer.knows("a", "RS256")
    assert not await issuer.knows("a", "ES384")
    assert not await issuer.knows("a", "HS256")
    assert await issuer.knows("r", "RS256")
    assert not await issuer.knows("r", "PS256"), "the set says that it is for RS256"
    assert not await issuer.knows("r", "HS256")
    assert await issuer.knows("o", "EdDSA")


@pytest.mark.filterwarnings("ignore:Key size should be")
@pytest.mark.parametrize(
    "key",
    [
        OctKey.generate_key(256).as_dict() | {"kid": "a"},
        public(ES, use="enc"),
        public(ES, key_ops=["encrypt"]),
        ES.as_dict(private=True) | {"kid": "a"},
        {"kty": "RSA", "kid": "a", "e": "AQAB", "n": "w" * 171},
        {"kty": "RSA", "kid": "a", "e": "AQAB", "n": "A" * 180 + "w" * 171},
        {"kty": "RSA", "kid": "a"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "a"},
        {"kty": [], "kid": "a"},
        "a",
        None,
    ],
    ids=[
        "secret",
        "encryption",
        "wrapping",
        "private",
        "short",
        "short and padded",
        "bare",
        "point",
        "listed",
        "text",
        "nothing",
    ],
)
def test_what_is_no_public_key_for_signatures_is_left_out(key: Any) -> None:
    assert read(json.dumps({"keys": [key, public(ES, "b")]}))[0].kid == "b"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"keys":1}', b'{"keys":[],"keys":[]}', b"<html>"])
def test_what_is_no_set_is_an_error(body: bytes) -> None:
    with pytest.raises((BadJson, ValueError), match=r"\w"):
        read(body)
