"""Where master keys come from, and what a rotation that is cut off leaves behind."""

import os
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from crosstie.access import master
from crosstie.access.master import FileMasters, GivenMasters, masters
from crosstie.errors import ConfigurationError
from crosstie.kit import crypto
from crosstie.settings import Settings

NOWHERE: Any = None
"""These providers ask no database."""


def made(folder: Path) -> Path:
    path = folder / "master.key"
    master.write(path)
    return path


def modes(folder: Path) -> set[int]:
    return {file.stat().st_mode & 0o777 for file in folder.iterdir()}


async def test_a_rotation_puts_the_new_key_first_and_keeps_the_former_one(tmp_path: Path) -> None:
    path = made(tmp_path)
    before = path.read_bytes()
    keys = FileMasters(path)

    await keys.renew(NOWHERE)

    present, former = await keys.read(NOWHERE)
    assert (former, present) == (before, path.read_bytes())
    assert present != former
    assert modes(tmp_path) == {0o600}
    assert keys.name() == str(crypto.identify(present))
    advice = await keys.retire(NOWHERE)
    assert await keys.read(NOWHERE) == [present]
    kept = tmp_path / f"master.key.{crypto.identify(before)}"
    assert (kept.read_bytes(), str(kept) in advice) == (before, True)


async def test_a_rotation_that_goes_on_makes_no_third_key(tmp_path: Path) -> None:
    keys = FileMasters(made(tmp_path))
    await keys.renew(NOWHERE)
    once = await keys.read(NOWHERE)
    await keys.renew(NOWHERE)
    assert await keys.read(NOWHERE) == once


@pytest.mark.parametrize("step", ["write", "link", "replace"])
async def test_whatever_step_is_the_last_before_a_crash_no_key_is_lost(tmp_path: Path, step: str) -> None:
    path = made(tmp_path)
    before = path.read_bytes()
    master.write(tmp_path / "master.key.new")
    if step != "write":
        os.link(path, tmp_path / "master.key.old")
    if step == "replace":
        (tmp_path / "master.key.new").replace(path)
    keys = FileMasters(path)
    assert before in await keys.read(NOWHERE)

    await keys.renew(NOWHERE)

    present, former = await keys.read(NOWHERE)
    assert former == before
    assert present != before


async def test_a_mounted_secret_that_is_swapped_is_read_anew(tmp_path: Path) -> None:
    """Kubernetes swaps a link to a folder: name → ..data → the newest folder."""
    one, two = tmp_path / "..one", tmp_path / "..two"
    for folder in (one, two):
        folder.mkdir()
        made(folder)
    (two / "master.key.old").write_bytes((one / "master.key").read_bytes())
    (two / "master.key.old").chmod(0o400)
    (tmp_path / "..data").symlink_to(one)
    (tmp_path / "master.key").symlink_to("..data/master.key")
    (tmp_path / "master.key.old").symlink_to("..data/master.key.old")
    keys = FileMasters(tmp_path / "master.key")
    assert await keys.read(NOWHERE) == [(one / "master.key").read_bytes()]

    (tmp_path / "..next").symlink_to(two)
    (tmp_path / "..next").replace(tmp_path / "..data")

    assert await keys.read(NOWHERE) == [(two / "master.key").read_bytes(), (one / "master.key").read_bytes()]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.chmod(0o644), "chmod 600"),
        (lambda path: path.write_bytes(b"short"), "exactly 32 bytes"),
        (lambda path: path.unlink(), "cannot be read"),
    ],
)
async def test_a_file_that_went_bad_is_refused_while_we_run(tmp_path: Path, spoil: Any, words: str) -> None:
    path = made(tmp_path)
    spoil(path)
    with pytest.raises(ConfigurationError, match=words):
        await FileMasters(path).read(NOWHERE)


async def test_keys_of_the_environment_are_renewed_by_the_operator_alone() -> None:
    one, two = os.urandom(32), os.urandom(32)
    alone = GivenMasters(b64encode(one).decode(), "")
    with pytest.raises(ConfigurationError, match="FORMER_MASTER_KEY_BASE64"):
        await alone.renew(NOWHERE)
    assert await alone.retire(NOWHERE) == ""
    both = GivenMasters(b64encode(two).decode(), b64encode(one).decode())
    await both.renew(NOWHERE)
    assert await both.read(NOWHERE) == [two, one]
    assert "unset" in await both.retire(NOWHERE)


def test_the_settings_choose_the_provider(tmp_path: Path) -> None:
    text = b64encode(bytes(32)).decode()
    token = tmp_path / "token"
    assert isinstance(masters(Settings(home=tmp_path)), FileMasters)
    assert isinstance(masters(Settings(master_key_base64=text)), GivenMasters)
    found = masters(Settings(vault_url="http://127.0.0.1:1", vault_token_file=token))
    assert found.name() == "transit transit/crosstie"
