"""The revisions of the schema that this version knows, by the names of their files: without the tools of migrations."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from crosstie.errors import ConfigurationError


def folder() -> Path:
    """Where the migrations lie: in the package, or beside it in a checkout."""
    here = Path(__file__).resolve().parents[1]
    for found in (here / "migrations", here.parents[1] / "migrations"):
        if (found / "env.py").is_file():
            return found
    raise ConfigurationError("The migrations are missing: reinstall Crosstie.")


@cache
def revisions() -> tuple[str, ...]:
    """Every revision, oldest first."""
    return tuple(sorted(path.name.partition("_")[0] for path in (folder() / "versions").glob("[0-9]*_*.py")))
