"""What a stranger may write into a token, and what becomes of it (RFC 8725, RFC 9068)."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, Key, OctKey, RSAKey

from crosstie.access import jwt
from crosstie.access.jwt import BadToken, Terms

NOW = 1_800_000_000
RSA, MINE = RSAKey.generate_key(2048), RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")
KEYS: dict[tuple[str, str], Key] = {("one", "RS256"): RSA, ("two", "ES256"): EC}
TERMS = Terms("https://hub.example", "https://hub.example", types=("at+jwt",), required=("sub", "client_id"))
CLAIMS: dict[str, Any] = {
    "iss": "https://hub.example", "aud": "https://hub.example", "sub": "u", "client_id": "c", "jti": "j",
    "iat": NOW, "exp": NOW + 600,
}  # fmt: skip
HEADER = {"alg": "RS256", "kid": "one", "typ": "at+jwt"}


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: dict[str, Any], payload: bytes, key: Key = RSA) -> str:
    """A token whose signature holds, whatever the header says."""
    text = f"{b64(json.dumps(header).encode())}.{b64(payload)}"
    name = "RS256" if isinstance(key, RSAKey) else "ES256"
    return f"{text}.{b64(jws.JWSRegistry(algorithms=[name]).get_alg(name).sign(text.encode(), key))}"


def token(header: dict[str, Any] | None = None, **claims: Any) -> str:
    whole = {name: value for name, value in (CLAIMS | claims).items() if value is not ...}
    return signed(HEADER | (header or {}), json.dumps(whole).encode())


def read(text: str, terms: Terms = TERMS) -> Any:
    return jwt.verify(jwt.parse(text), lambda kid, alg: KEYS.get((kid, alg)), terms, NOW)


def test_a_good_token_is_read() -> None:
    assert read(token())["sub"] == "u"
    assert read(token(aud=["https://other.example", "https://hub.example"]))["sub"] == "u"
    assert read(signed({"alg": "ES256", "kid": "two", "typ": "AT+JWT"}, json.dumps(CLAIMS).encode(), EC))["sub"] == "u"
    assert read(token({"typ": "application/at+jwt"}))["sub"] == "u"
    assert read(token(exp=NOW - 59))["sub"] == "u"
    # what points elsewhere for a key is not even looked at
    elsewhere = {"jku": "http://169.254.169.254/", "x5u": "http://evil.example", "jwk": {"kty": "oct", "k": "AA"}}
    assert read(token(elsewhere))["sub"] == "u"


def hmac_with_the_public_key(alg: str) -> str:
    """The old confusion: the verifier's public key taken for a shared secret."""
    text = f"{b64(json.dumps(HEADER | {'alg': alg}).encode())}.{b64(json.dumps(CLAIMS).encode())}"
    return f"{text}.{b64(hmac.digest(RSA.as_pem(private=False), text.encode(), 'sha256'))}"


def own_key(**header: Any) -> str:
    """Signed with a key that the token itself brings."""
    return signed(HEADER | {"jwk": MINE.as_dict(private=False)} | header, json.dumps(CLAIMS).encode(), MINE)


def unsigned(alg: str) -> str:
    head = b64(json.dumps(HEADER | {"alg": alg}).encode())
    return f"{head}.{b64(json.dumps(CLAIMS).encode())}."


ATTACKS: dict[str, Callable[[], str]] = {
    "alg none": lambda: unsigned("none"),
    "alg None": lambda: unsigned("None"),
    "alg none, some signature": lambda: unsigned("none") + "AAAA",
    "alg HS256 with the RSA key": lambda: hmac_with_the_public_key("HS256"),
    "alg HS512 with the RSA key": lambda: hmac_with_the_public_key("HS512"),
    "alg missing": lambda: signed({"kid": "one", "typ": "at+jwt"}, json.dumps(CLAIMS).encode()),
    "alg a list": lambda: token({"alg": ["RS256"]}),
    "alg of another key": lambda: token({"alg": "ES256"}),
    "alg not this key's": lambda: token({"alg": "PS256"}),
    "kid unknown": lambda: token({"kid": "three"}),
    "kid a path": lambda: token({"kid": "../../../../dev/null"}),
    "kid SQL": lambda: token({"kid": "' OR 1=1 --"}),
    "kid huge": lambda: token({"kid": "k" * 5000}),
    "kid a number": lambda: token({"kid": 1}),
    "kid missing": lambda: signed({"alg": "RS256", "typ": "at+jwt"}, json.dumps(CLAIMS).encode()),
    "jwk in the header": own_key,
    "jwk and no kid": lambda: own_key(kid=""),
    "jku": lambda: own_key(jku="https://evil.example/jwks.json"),
    "x5u": lambda: own_key(x5u="https://evil.example/cert.pem"),
    "x5c": lambda: own_key(x5c=["MIIB"]),
    "crit": lambda: token({"crit": ["exp"]}),
    "crit unknown": lambda: token({"crit": ["http://evil"], "http://evil": 1}),
    "crit empty": lambda: token({"crit": []}),
    "b64 false": lambda: token({"b64": False}),
    "b64 false and crit": lambda: token({"b64": False, "crit": ["b64"]}),
    "zip": lambda: token({"zip": "DEF"}),
    "enc": lambda: token({"enc": "A256GCM"}),
    "typ JWT": lambda: token({"typ": "JWT"}),
    "typ missing": lambda: signed({"alg": "RS256", "kid": "one"}, json.dumps(CLAIMS).encode()),
    "typ a list": lambda: token({"typ": ["at+jwt"]}),
    "expired": lambda: token(exp=NOW - 61),
    "exp missing": lambda: token(exp=...),
    "exp null": lambda: token(exp=None),
    "exp a text": lambda: token(exp=str(NOW + 600)),
    "exp true": lambda: token(exp=True),
    "exp negative": lambda: token(exp=-1),
    "exp beyond numbers": lambda: token(exp=1 << 60),
    "nbf to come": lambda: token(nbf=NOW + 61),
    "nbf a list": lambda: token(nbf=[NOW]),
    "nbf true": lambda: token(nbf=True),
    "iat to come": lambda: token(iat=NOW + 61),
    "iat true": lambda: token(iat=True),
    "iss another": lambda: token(iss="https://hub.example/"),
    "iss a prefix": lambda: token(iss="https://hub.example.evil"),
    "iss a list": lambda: token(iss=["https://hub.example"]),
    "iss missing": lambda: token(iss=...),
    "aud another": lambda: token(aud="https://other.example"),
    "aud a longer one": lambda: token(aud="https://hub.example.evil"),
    "aud empty": lambda: token(aud=[]),
    "aud missing": lambda: token(aud=...),
    "aud nested": lambda: token(aud=[["https://hub.example"]]),
    "sub missing": lambda: token(sub=...),
    "sub a number": lambda: token(sub=7),
    "sub empty": lambda: token(sub=""),
    "client_id missing": lambda: token(client_id=...),
    "claims twice": lambda: signed(HEADER, json.dumps(CLAIMS).encode()[:-1] + b', "sub": "admin"}'),
    "header twice": lambda: b64(b'{"alg":"RS256","kid":"one","typ":"at+jwt","kid":"two"}') + ".e30.AAAA",
    "claims no object": lambda: signed(HEADER, b'["sub"]'),
    "claims no JSON": lambda: signed(HEADER, b"sub=u"),
    "NaN": lambda: signed(HEADER, json.dumps(CLAIMS | {"exp": float("nan")}).encode()),
    "deep": lambda: signed(HEADER, b'{"a":' + b"[" * 100 + b"]" * 100 + b"}"),
    "signature cut": lambda: token()[:-2],
    "signature empty": lambda: token().rsplit(".", 1)[0] + ".",
    "claims of another token": lambda: f"{token(sub='x').rsplit('.', 1)[0]}.{token().rsplit('.', 1)[1]}",
    "too large": lambda: token(filler="x" * 8000),
    "four parts": lambda: token() + ".AAAA",
    "five parts": lambda: token() + ".AAAA.AAAA",
    "padding": lambda: token() + "=",
    "a blank": lambda: token() + " ",
    "a line end": lambda: token() + "\n",
    "not canonical": lambda: token()[:-1] + {"A": "B", "Q": "R", "g": "h", "w": "x"}.get(token()[-1], "B"),
    "nothing": lambda: "",
    "dots": lambda: "..",
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_refused(name: str) -> None:
    with pytest.raises(BadToken):
        read(ATTACKS[name]())


def test_a_secret_shared_with_the_signer_signs_nothing() -> None:
    """Even a verifier that was handed a secret by mistake takes no HMAC."""
    secret = OctKey.import_key("x" * 32)
    text = jws.serialize_compact({"alg": "HS256", "typ": "at+jwt"}, json.dumps(CLAIMS), secret, algorithms=["HS256"])
    with pytest.raises(BadToken, match="algorithm"):
        jwt.verify(jwt.parse(text), lambda kid, alg: secret, TERMS, NOW)


@pytest.mark.parametrize(
    "kid", ["k" * 201, 1, None, ["one"], {"one": 1}], ids=["long", "number", "null", "list", "object"]
)
def test_a_look_up_is_never_asked_for_nonsense(kid: Any) -> None:
    def find(kid: str, algorithm: str) -> Key | None:
        raise AssertionError(f"asked for {kid!r}")

    with pytest.raises(BadToken, match="short text"):
        jwt.verify(jwt.parse(token({"kid": kid})), find, TERMS, NOW)


def test_a_part_is_written_in_one_way_only() -> None:
    """`e30` is {}; so is `e31`, to a decoder that drops the bits it has no use for."""
    good = token().split(".")
    jwt.parse(".".join(("e30", good[1], good[2])))
    for header in ("e31", "e30A"):
        with pytest.raises(BadToken, match=r"canonical|read"):
            jwt.parse(".".join((header, good[1], good[2])))
