"""The worked example of docs/reference/formats.md, computed again with `cryptography` alone, then with our own code."""

import hmac
import re
import subprocess
import sys
from pathlib import Path
from uuid import UUID
from zlib import crc32

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crosstie.kit import crypto, ids
from crosstie.kit.crypto import Place

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "formats.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)
    assert found is not None
    return found.group(1)


EXAMPLE = dict(re.findall(r"^([a-z -]+?) += (.+)$", block("text"), re.M))
PLACES = {
    "place of key": ("data key id", EXAMPLE["place of key"].split(".")),
    "place": ("row", EXAMPLE["place"].split(".")),
}


def raw(name: str) -> bytes:
    return bytes.fromhex(EXAMPLE[name].replace("-", ""))


def hkdf(label: str, key: str = "master key") -> bytes:
    return HKDF(SHA256(), 32, None, label.encode()).derive(raw(key))


def place(name: str) -> Place:
    row, (table, column) = PLACES[name]
    return Place(UUID(EXAMPLE["tenant"]), table, column, UUID(EXAMPLE[row]))


def test_the_example_has_every_value() -> None:
    assert len(EXAMPLE) == 20


@pytest.mark.parametrize(
    ("value", "bound", "where", "key", "key_id", "nonce", "plaintext"),
    [
        ("wrapped key", "key aad", "place of key", hkdf("wrap"), "master id", "key nonce", raw("data key")),
        ("sealed", "aad", "place", raw("data key"), "data key id", "nonce", EXAMPLE["plaintext"].encode()),
    ],
)
def test_sealed_values_of_the_example(
    value: str, bound: str, where: str, key: bytes, key_id: str, nonce: str, plaintext: bytes
) -> None:
    row, (table, column) = PLACES[where]
    parts = [b"\1", raw("tenant"), table.encode(), column.encode(), raw(row), raw(key_id)]
    aad = b"".join(len(part).to_bytes(2, "big") + part for part in parts)
    assert raw(bound) == aad
    assert raw(value) == b"\1" + raw(key_id) + raw(nonce) + AESGCM(key).encrypt(raw(nonce), plaintext, aad)


def test_keys_of_the_example() -> None:
    name = bytearray(hkdf("id")[:16])
    name[6] = name[6] & 0x0F | 0x80
    name[8] = name[8] & 0x3F | 0x80
    assert raw("master id") == name
    assert raw("sub-key wrap") == hkdf("wrap")
    assert raw("pepper") == hkdf("api-keys", "root key")


def test_api_key_of_the_example() -> None:
    body, check = EXAMPLE["api key"][:-6], EXAMPLE["api key"][-6:]
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    assert sum(alphabet.index(char) * 62**power for power, char in enumerate(reversed(check))) == crc32(body.encode())
    assert raw("stored") == hmac.digest(raw("pepper"), EXAMPLE["api key"].encode(), "sha256")


def test_our_code_agrees_with_the_example() -> None:
    master = raw("master key")
    assert crypto.identify(master) == UUID(EXAMPLE["master id"])
    assert crypto.derive(master, "wrap") == raw("sub-key wrap")
    key = crypto.unwrap({UUID(EXAMPLE["master id"]): master}.__getitem__, raw("wrapped key"), place("place of key"))
    assert key == raw("data key")
    opened = crypto.open({UUID(EXAMPLE["data key id"]): key}.__getitem__, raw("sealed"), place("place"))
    assert opened.decode() == EXAMPLE["plaintext"]
    assert ids.checked(EXAMPLE["api key"])
    assert crypto.digest(raw("pepper"), EXAMPLE["api key"]) == raw("stored")


def test_the_script_on_the_page_opens_the_example(tmp_path: Path) -> None:
    script = tmp_path / "open.py"
    script.write_text(block("python"))
    values = [raw(name).hex() for name in ("master key", "wrapped key", "sealed")]
    where = [EXAMPLE["tenant"], *PLACES["place"][1], EXAMPLE["row"]]
    run = subprocess.run([sys.executable, "-I", script, *values, *where], capture_output=True, check=True, timeout=30)
    assert run.stdout.decode() == EXAMPLE["plaintext"]
