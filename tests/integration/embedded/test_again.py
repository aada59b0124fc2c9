"""Starting again: after a stop, after crashes of every kind, beside another."""

import asyncio
import json
import socket
import subprocess
from pathlib import Path

import asyncpg
import pytest

from crosstie.db.embedded import state
from tests.integration.embedded.home import CHILD, ROOT, Home, alive, ask, end, keep, kept, kill, make, tree


def test_stop_and_start_keep_everything(home: Home) -> None:
    dsns, _ = home.start()
    keep(dsns)
    home.stop()
    home.stop()
    with pytest.raises(OSError, match="onnect"):
        ask(dsns.app, "SELECT 1")
    again, started = home.start()
    assert started
    assert again == dsns
    assert kept(again)


def test_a_server_that_still_runs_is_used(home: Home) -> None:
    dsns, _ = home.start()
    pid = home.pid
    assert home.start() == (dsns, False)
    assert home.pid == pid


def test_a_killed_server_recovers(home: Home) -> None:
    dsns, _ = home.start()
    keep(dsns)
    kill(home.pid)
    again, started = home.start()
    assert started
    assert kept(again)


def test_a_server_that_recovers_by_itself_is_used(home: Home) -> None:
    dsns, _ = home.start()
    keep(dsns)
    pid = home.pid
    kill(tree(pid)[-1])
    again, started = home.start()
    assert (again, started, home.pid) == (dsns, False, pid)
    assert kept(again)


def test_a_killed_tree_recovers(home: Home) -> None:
    dsns, _ = home.start()
    keep(dsns)
    pids = tree(home.pid)
    assert len(pids) > 3
    kill(*pids)
    again, started = home.start()
    assert started
    assert kept(again)


def test_a_child_that_outlives_its_server_is_removed(home: Home) -> None:
    """A backend that computes does not notice that its server is dead, and holds the shared memory."""
    dsns, _ = home.start()
    keep(dsns)

    async def orphan() -> int:
        connection = await asyncpg.connect(dsns.superuser, ssl=False)
        pid: int = await connection.fetchval("SELECT pg_backend_pid()")
        busy = asyncio.create_task(connection.execute("SELECT count(*) FROM generate_series(1, 1e11::bigint)"))
        active = "SELECT state = 'active' FROM pg_stat_activity WHERE pid = $1"
        watch = await asyncpg.connect(dsns.superuser, ssl=False)
        while not await watch.fetchval(active, pid):  # noqa: ASYNC110  # another process is looked at
            await asyncio.sleep(0.02)
        watch.terminate()
        kill(home.pid)
        await asyncio.sleep(0.3)
        busy.cancel()
        connection.terminate()
        await asyncio.gather(busy, return_exceptions=True)
        return pid

    pid = asyncio.run(orphan())
    assert alive(pid)
    again, _ = home.start()
    assert kept(again)
    assert not alive(pid)


def test_a_pid_that_now_is_someone_elses_does_not_hinder(home: Home) -> None:
    dsns, _ = home.start()
    keep(dsns)
    file = home.data / "postmaster.pid"
    lines = file.read_text().splitlines()
    kill(*tree(home.pid))
    owner = file.stat()
    with subprocess.Popen(["sleep", "60"], user=owner.st_uid if ROOT else None) as other:
        file.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        again, started = home.start()
        assert other.poll() is None
        other.kill()
    assert started
    assert kept(again)


def test_a_port_that_is_taken_is_left_to_its_user(home: Home) -> None:
    dsns, _ = home.start()
    keep(dsns)
    home.stop()
    port = home.kept.port
    with socket.create_server(("127.0.0.1", port)):
        again, _ = home.start()
    assert again != dsns
    assert kept(again)


def test_a_first_start_that_was_cut_is_begun_anew(fresh: Home) -> None:
    fresh.start()
    fresh.stop()
    data = fresh.data
    data.rename(data.with_name("data.new"))  # initdb never came to its end
    (data.with_name("data.new") / "PG_VERSION").unlink()
    data.with_name("password").write_text("x")
    dsns, _ = fresh.start()
    assert ask(dsns.app, "SELECT 1")
    assert sorted(p.name for p in data.parent.iterdir()) == ["data", "log", "log.1"]


def test_roles_that_were_not_made_in_time_are_made_later(home: Home) -> None:
    dsns, _ = home.start()
    ask(dsns.superuser, "REVOKE CONNECT ON DATABASE crosstie FROM crosstie_worker", "DROP ROLE crosstie_worker")
    again, started = home.start()
    assert (again, started) == (dsns, False)
    assert ask(again.worker, "SELECT 1")


def test_a_home_that_lost_its_passwords_begins_anew_and_keeps_the_old_data(fresh: Home) -> None:
    dsns, _ = fresh.start()
    data, pid = fresh.data, fresh.pid
    (fresh.path / state.FILE).unlink()
    again, started = fresh.start()
    assert started
    assert again.app != dsns.app
    assert not alive(pid)
    assert fresh.data == data
    assert len(list(data.parent.glob("data.left-*"))) == 1


def test_two_homes_side_by_side(fresh: Home, folder: Path) -> None:
    other = make(folder, fresh.user, "other")
    try:
        first, _ = fresh.start()
        second, _ = other.start()
        assert fresh.data != other.data
        keep(first)
        with pytest.raises(asyncpg.UndefinedTableError):
            kept(second)
        kill(other.pid)
        assert other.start()[1]
        other.stop()
        assert kept(first)
    finally:
        end(other)


def test_many_starts_at_once_are_one(fresh: Home) -> None:
    command = [fresh.python, "-c", CHILD, str(fresh.path), "start"]
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd="/", **fresh.options) for _ in range(4)
    ]
    said = [json.loads(child.communicate(timeout=110)[0]) for child in children]
    assert sum(started for _, started in said) == 1
    assert len({tuple(dsns) for dsns, _ in said}) == 1
