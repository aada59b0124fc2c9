"""The guards of the house itself turn red."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted(ROOT.glob("requirements/*.lock"))
LINE = re.compile(r"[a-z0-9-]+==[a-z0-9.+]+( ; [^/\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
PACKAGES = re.findall(r"\((\w+)\)", (ROOT / ".importlinter").read_text())


def lint(folder: Path, **imports: str) -> str:
    """What lint-imports says of a house of empty rooms, where `room` holds one import (`a__b` is the room a.b)."""
    shutil.copy(ROOT / ".importlinter", folder)
    rooms = {"": "", "modules.crm": "", "modules.field": "", "connectors.xero": "", "connectors.sage": ""}
    rooms |= dict.fromkeys(PACKAGES, "") | {room.replace("__", "."): f"import {seen}" for room, seen in imports.items()}
    for room, text in rooms.items():
        path = folder / "crosstie" / room.replace(".", "/")
        path.mkdir(parents=True, exist_ok=True)
        (path / "__init__.py").write_text(text)
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environ = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(command, check=False, cwd=folder, env=environ, capture_output=True, text=True)
    assert done.returncode == ("BROKEN" in done.stdout), done.stdout + done.stderr
    return " ".join(re.findall(r"(.+) BROKEN", done.stdout))


def test_a_house_in_order_is_kept(tmp_path: Path) -> None:
    assert lint(tmp_path, cli="crosstie.app", api="crosstie.modules", log="crosstie.db", sandbox="crosstie.kit") == ""


@pytest.mark.parametrize(
    ("room", "seen", "broken"),
    [
        ("kit", "errors", "One way down"),
        ("db", "log", "One way down"),
        ("api", "deliver", "One way down"),
        ("modules__crm", "api", "One way down"),
        ("misc", "kit", "One way down"),
        ("modules__crm", "modules.field", "Modules do not know each other"),
        ("connectors__xero", "connectors.sage", "Connectors do not know each other"),
        ("watch", "sandbox", "Only the command line sees the sandbox"),
        ("sandbox", "db", "The sandbox knows contracts and kit only"),
    ],
)
def test_a_wrong_import_is_found(room: str, seen: str, broken: str, tmp_path: Path) -> None:
    assert broken in lint(tmp_path, **{room: f"crosstie.{seen}"})


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_locks_hold_names_versions_and_hashes_only(lock: Path) -> None:
    lines = lock.read_text().splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert sum("==" in line for line in lines) > 1


@pytest.mark.parametrize(
    "line", ["--find-links wheels", "x @ https://example.com/x.whl \\", "x==1.0", "# made in /home"]
)
def test_anything_else_in_a_lock_is_found(line: str) -> None:
    assert not LINE.fullmatch(line)


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_a_skip_fails_where_every_test_must_run(ci: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text("import pytest\ndef test_x():\n    pytest.skip('no broker')\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
        "-c",
        "/dev/null",
    ]
    environ = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, tmp_path], check=False, cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("CI=true forbids it" in done.stdout) == bool(code)


def test_migrations_are_one_chain() -> None:
    found = [path.read_text() for path in sorted(ROOT.glob("migrations/versions/*.py"))]
    numbers = [re.findall(r'^(?:down_)?revision = (?:"(\d+)"|None)$', text, re.MULTILINE) for text in found]
    assert numbers == [[f"{n:04}", f"{n - 1:04}" if n > 1 else ""] for n in range(1, len(found) + 1)]
