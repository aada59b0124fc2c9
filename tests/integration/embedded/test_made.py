"""What a first start makes."""

import pwd
import sys
from pathlib import Path

import asyncpg
import pytest

from crosstie.db.embedded import state
from crosstie.db.embedded.server import STORE
from tests.integration.embedded.home import ME, ROOT, Home, ask, end, make


def test_roles_are_what_they_should_be(home: Home) -> None:
    dsns, _ = home.start()
    rows = {row["rolname"]: row for row in ask(dsns.superuser, "SELECT * FROM pg_roles WHERE rolname LIKE 'crosstie%'")}
    assert set(rows) == set(state.ROLES)
    assert rows["crosstie"]["rolsuper"]
    for name in ("crosstie_owner", "crosstie_app", "crosstie_worker"):
        assert rows[name]["rolcanlogin"]
        for power in ("rolsuper", "rolbypassrls", "rolcreatedb", "rolcreaterole", "rolreplication"):
            assert not rows[name][power], (name, power)
    for dsn, role in zip(dsns, state.ROLES, strict=True):
        assert tuple(ask(dsn, "SELECT current_user, current_database()")[0]) == (role, "crosstie")
    owned = ask(
        dsns.superuser,
        "SELECT r.rolname, s.deptype FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid "
        "WHERE s.deptype = 'o' AND r.rolname LIKE 'crosstie_%'",
    )
    assert {row["rolname"] for row in owned} <= {"crosstie_owner"}
    owner = ask(dsns.superuser, "SELECT datdba::regrole::text FROM pg_database WHERE datname = 'crosstie'")
    assert owner[0][0] == "crosstie_owner"


def test_serving_roles_make_nothing_anywhere(home: Home) -> None:
    dsns, _ = home.start()
    for dsn in (dsns.app, dsns.worker):
        for statement in ("CREATE TABLE t (n int)", "CREATE TEMP TABLE t (n int)", "CREATE SCHEMA s"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                ask(dsn, statement)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            ask(f"{dsn.rpartition('/')[0]}/postgres", "SELECT 1")


def test_nobody_gets_in_without_the_password(home: Home) -> None:
    dsns, _ = home.start()
    for dsn, role in zip(dsns, state.ROLES, strict=True):
        address = dsn.rpartition("@")[2]
        for wrong in (f"{role}:wrong", f"{role}:{role}", f"{role}:"):
            with pytest.raises((asyncpg.InvalidPasswordError, asyncpg.InterfaceError)):
                ask(f"postgresql://{wrong}@{address}", "SELECT 1")
    methods = {row[0] for row in ask(dsns.superuser, "SELECT auth_method FROM pg_hba_file_rules")}
    assert methods == {"scram-sha-256"}
    hashes = ask(dsns.superuser, "SELECT rolpassword FROM pg_authid WHERE rolcanlogin")
    assert all(row[0].startswith("SCRAM-SHA-256$") for row in hashes)


def test_passwords_lie_with_their_owner_only(home: Home) -> None:
    home.start()
    file = (home.path / state.FILE).stat()
    assert (file.st_mode & 0o777, file.st_uid) == (0o600, home.path.stat().st_uid)
    assert home.data.stat().st_mode & 0o777 == 0o700
    assert not (home.data.parent / "password").exists()
    for secret in home.kept.passwords.values():
        assert secret not in (home.data.parent / "log").read_text()


def test_the_database_is_durable_and_only_local(home: Home) -> None:
    dsns, _ = home.start()
    rows = ask(dsns.superuser, "SELECT name, setting FROM pg_settings")
    settings = {row["name"]: row["setting"] for row in rows}
    for name in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
        assert settings[name] == "on", name
    assert (settings["listen_addresses"], settings["unix_socket_directories"]) == ("127.0.0.1", "")
    assert (settings["max_connections"], settings["server_encoding"], settings["jit"]) == ("200", "UTF8", "off")


@pytest.mark.skipif(not ROOT, reason="an ordinary user has nothing to open")
def test_no_folder_is_opened(folder: Path) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    foreign = [folder, private, *folder.parents, STORE.parent, Path(sys.executable).parent]
    before = {path: path.stat().st_mode for path in foreign}
    home = make(private, ME)
    try:
        home.start()
        assert {path: path.stat().st_mode for path in foreign} == before
        assert home.data.is_relative_to(STORE)
        assert home.data.stat().st_uid not in (0, pwd.getpwnam("nobody").pw_uid)
        assert [p.name for p in home.path.iterdir() if p.stat().st_uid != 0] == []
    finally:
        end(home)
