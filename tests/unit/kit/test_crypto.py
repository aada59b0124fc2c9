import copy
import json as stdlib
import pickle
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from crosstie.kit import crypto, json
from crosstie.kit.crypto import Place, Secret, Unsealable

KEY = bytes(range(32))
KEY_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
PLACE = Place(UUID(int=1), "connections", "credentials", UUID(int=2))

KEYS = st.binary(min_size=32, max_size=32)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
PLACES = st.builds(Place, st.uuids(), NAMES, NAMES, st.uuids())


def only(key: bytes, id: UUID = KEY_ID) -> Callable[[UUID], bytes]:
    return {id: key}.__getitem__


def gcm(key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """AES-GCM as SP 800-38D §6.3 to §7.1 writes it: counter mode and a hash over GF(2¹²⁸), from single AES blocks."""
    block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    subkey = int.from_bytes(block.update(bytes(16)), "big")

    def multiply(x: int, y: int) -> int:
        product = 0
        for bit in range(127, -1, -1):
            if x >> bit & 1:
                product ^= y
            y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
        return product

    def stream(counter: int) -> bytes:
        return block.update(nonce + counter.to_bytes(4, "big"))

    pieces = [plaintext[at : at + 16] for at in range(0, len(plaintext), 16)]
    ciphertext = b"".join(
        bytes(a ^ b for a, b in zip(piece, stream(n), strict=False)) for n, piece in enumerate(pieces, 2)
    )
    hashed = aad + bytes(-len(aad) % 16) + ciphertext + bytes(-len(ciphertext) % 16)
    hashed += (len(aad) * 8).to_bytes(8, "big") + (len(ciphertext) * 8).to_bytes(8, "big")
    state = 0
    for at in range(0, len(hashed), 16):
        state = multiply(state ^ int.from_bytes(hashed[at : at + 16], "big"), subkey)
    return ciphertext + bytes(a ^ b for a, b in zip(state.to_bytes(16, "big"), stream(1), strict=True))


def aad(place: Place, key_id: UUID) -> bytes:
    parts = [b"\1", place.tenant.bytes, place.table.encode(), place.column.encode(), place.row.bytes, key_id.bytes]
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def test_our_second_opinion_on_gcm_knows_the_published_cases() -> None:
    """Test cases 13 to 16 of the GCM submission to NIST (McGrew and Viega, 2005): AES-256."""
    assert gcm(bytes(32), bytes(12), b"", b"").hex() == "530f8afbc74536b9a963b4f1c4cb738b"
    assert gcm(bytes(32), bytes(12), bytes(16), b"").hex() == (
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"
    )
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    nonce = bytes.fromhex("cafebabefacedbaddecaf888")
    plaintext = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
    )
    assert gcm(key, nonce, plaintext, b"")[-16:].hex() == "b094dac5d93471bdec1a502270e3cc6c"
    bound = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    assert gcm(key, nonce, plaintext[:60], bound)[-16:].hex() == "76fc6ece0f4e1768cddf8853bb2d551b"


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 31, 32, 33, 100])
@pytest.mark.parametrize("fill", [0x00, 0x55, 0xFF])
def test_sealed_values_are_aes_256_gcm(length: int, fill: int) -> None:
    key, plaintext = bytes([fill ^ 0x0F]) * 32, bytes([fill]) * length
    sealed = crypto.seal(key, KEY_ID, plaintext, PLACE)
    nonce = sealed[17:29]
    assert sealed == b"\1" + KEY_ID.bytes + nonce + gcm(key, nonce, plaintext, aad(PLACE, KEY_ID))
    edge = bytes([fill]) * 12
    made = b"\1" + KEY_ID.bytes + edge + gcm(key, edge, plaintext, aad(PLACE, KEY_ID))
    assert crypto.open(only(key), made, PLACE) == plaintext


@given(KEYS, st.uuids(), st.binary(max_size=300), PLACES)
def test_what_is_sealed_opens_in_its_place(key: bytes, key_id: UUID, plaintext: bytes, place: Place) -> None:
    sealed = crypto.seal(key, key_id, plaintext, place)
    assert len(sealed) == len(plaintext) + 45
    assert crypto.keyed_by(sealed) == key_id
    assert crypto.open(only(key, key_id), sealed, place) == plaintext


@given(PLACES, PLACES)
def test_opens_in_no_other_place(place: Place, other: Place) -> None:
    sealed = crypto.seal(KEY, KEY_ID, b"sesame", place)
    for field in Place._fields:
        moved = place._replace(**{field: getattr(other, field)})
        if moved != place:
            with pytest.raises(Unsealable, match="moved"):
                crypto.open(only(KEY), sealed, moved)


@pytest.mark.parametrize(
    "other",
    [
        PLACE._replace(table="connection", column="scredentials"),
        PLACE._replace(table="connections\0", column="credentials"),
        PLACE._replace(table="", column="connectionscredentials"),
        PLACE._replace(table="credentials", column="connections"),
        PLACE._replace(tenant=PLACE.row, row=PLACE.tenant),
    ],
)
def test_no_two_places_look_alike(other: Place) -> None:
    with pytest.raises(Unsealable, match="moved"):
        crypto.open(only(KEY), crypto.seal(KEY, KEY_ID, b"sesame", PLACE), other)


def test_the_key_id_is_bound_too() -> None:
    sealed = crypto.seal(KEY, KEY_ID, b"sesame", PLACE)
    renamed = sealed[:1] + uuid4().bytes + sealed[17:]
    with pytest.raises(Unsealable, match="changed"):
        crypto.open(lambda _: KEY, renamed, PLACE)


def test_any_changed_bit_is_refused() -> None:
    sealed = crypto.seal(KEY, KEY_ID, b"sesame", PLACE)
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Unsealable):
            crypto.open(lambda _: KEY, bytes(changed), PLACE)


def test_any_other_length_is_refused() -> None:
    sealed = crypto.seal(KEY, KEY_ID, b"sesame", PLACE)
    for body in [*(sealed[:length] for length in range(len(sealed))), sealed + b"\0", b"\0" + sealed, sealed * 2]:
        with pytest.raises(Unsealable):
            crypto.open(lambda _: KEY, body, PLACE)
    with pytest.raises(Unsealable):
        crypto.keyed_by(sealed[:28])
    with pytest.raises(Unsealable, match="version"):
        crypto.keyed_by(b"\2" + sealed[1:])


def test_other_keys_are_refused() -> None:
    sealed = crypto.seal(KEY, KEY_ID, b"sesame", PLACE)
    with pytest.raises(Unsealable, match="another key"):
        crypto.open(only(bytes(32)), sealed, PLACE)
    with pytest.raises(Unsealable, match=f"the key {KEY_ID} is not known"):
        crypto.open(only(KEY, uuid4()), sealed, PLACE)


@given(st.binary(max_size=100))
def test_bytes_that_nobody_sealed_are_refused(body: bytes) -> None:
    with pytest.raises(Unsealable):
        crypto.open(lambda _: KEY, body, PLACE)
    with pytest.raises(Unsealable):
        crypto.open(lambda _: KEY, b"\1" + body, PLACE)


@pytest.mark.parametrize("length", [0, 16, 24, 31, 33, 64])
def test_keys_have_256_bits(length: int) -> None:
    key = bytes(length)
    with pytest.raises(ValueError, match="32 bytes"):
        crypto.seal(key, KEY_ID, b"", PLACE)
    with pytest.raises(ValueError, match="32 bytes"):
        crypto.open(only(key), crypto.seal(KEY, KEY_ID, b"", PLACE), PLACE)
    with pytest.raises(ValueError, match="32 bytes"):
        crypto.wrap(KEY, key, PLACE)
    with pytest.raises(ValueError, match="32 bytes"):
        crypto.derive(key, "label")


def test_no_nonce_comes_twice() -> None:
    nonces = {crypto.seal(KEY, KEY_ID, b"", PLACE)[17:29] for _ in range(100_000)}
    assert len(nonces) == 100_000


def test_wrapped_keys_open_with_their_master_only() -> None:
    old, new = bytes(32), KEY
    key = bytes(range(100, 132))
    masters = {crypto.identify(master): master for master in (old, new)}
    wrapped = crypto.wrap(old, key, PLACE)
    assert len(wrapped) == 77
    assert crypto.keyed_by(wrapped) == crypto.identify(old) != crypto.identify(new)
    assert crypto.unwrap(masters.__getitem__, wrapped, PLACE) == key
    with pytest.raises(Unsealable, match="not known"):
        crypto.unwrap({crypto.identify(new): new}.__getitem__, wrapped, PLACE)
    with pytest.raises(Unsealable, match="another key"):
        crypto.unwrap(lambda _: new, wrapped, PLACE)
    with pytest.raises(Unsealable, match="moved"):
        crypto.unwrap(masters.__getitem__, wrapped, PLACE._replace(row=uuid4()))
    with pytest.raises(Unsealable, match="another key"):
        crypto.open(only(old, crypto.identify(old)), wrapped, PLACE)


def test_each_label_has_its_own_key() -> None:
    labels = ["", "id", "wrap", "wrap\0", "Wrap", "api-keys"]
    assert len({crypto.derive(KEY, label) for label in labels} | {KEY}) == len(labels) + 1
    assert crypto.derive(KEY, "wrap") == crypto.derive(KEY, "wrap") != crypto.derive(bytes(32), "wrap")


@given(KEYS)
def test_a_master_key_has_a_public_name(master: bytes) -> None:
    name = crypto.identify(master)
    assert name == crypto.identify(master)
    assert (name.version, name.variant) == (8, KEY_ID.variant)
    free = ~(0xF << 76 | 0x3 << 62)
    assert name.int & free == int.from_bytes(crypto.derive(master, "id")[:16], "big") & free


def test_stored_forms_of_api_keys_depend_on_key_and_pepper() -> None:
    """RFC 4231, test case 2; then one change each."""
    known = crypto.digest(b"Jefe", "what do ya want for nothing?")
    assert known.hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert known not in (crypto.digest(b"jefe", "what do ya want for nothing?"), crypto.digest(b"Jefe", ""))


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("", "", True), ("a", "a", True), (b"a", b"a", True), ("é", "é", True), ("é", "é".encode(), True),
        ("a", "b", False), ("a", "", False), ("a", "ab", False), (b"a", b"b", False), ("é", "e", False),
    ],
)  # fmt: skip
def test_compares_secrets(one: str | bytes, other: str | bytes, equal: bool) -> None:
    assert crypto.same(one, other) is equal


def test_a_secret_shows_itself_on_purpose_only() -> None:
    secret = Secret("sesame")
    assert secret.reveal() == "sesame"
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>20}",
        repr([secret]),
        repr({"a": secret}),
    ]
    assert not any("sesame" in text for text in shown)
    assert not hasattr(secret, "__dict__")
    writers: list[Callable[[object], object]] = [pickle.dumps, copy.copy, copy.deepcopy, stdlib.dumps, json.dumps]
    for write in writers:
        with pytest.raises(TypeError):
            write(secret)


def test_secrets_are_compared_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret(b"a") != "a"
    assert {Secret("a"): 1}[Secret("a")] == 1
