"""The command line as a person meets it: a process of its own, with its output and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.parts import fork

COMMAND = [sys.executable, "-P", "-m", "crosstie.cli"]


@dataclass
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def one(self) -> Any:
        """The one document that was printed."""
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def many(self) -> list[Any]:
        """The documents that were printed, one per line."""
        assert self.code == 0, self.err
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Command:
    """`crosstie` with the environment of one installation; nothing of the caller's own leaks in."""

    home: Path
    environ: dict[str, str] = field(default_factory=dict)

    def env(self, **more: str) -> dict[str, str]:
        """The whole environment of a call."""
        outer = {name: value for name, value in os.environ.items() if not name.startswith(("CROSSTIE_", "DATABASE_"))}
        return {**outer, "CROSSTIE_HOME": str(self.home), **self.environ, **more}

    def __call__(self, *words: str, stdin: str = "", seconds: float = 100, **env: str) -> Done:
        """Run one command to its end."""
        return Done(*fork.run(words, self.env(**env), self.home, stdin, seconds))

    def begin(self, *words: str, **env: str) -> fork.Forked:
        """Begin a command that nobody listens to."""
        with Path(os.devnull).open("r+b") as nothing:
            return fork.start(words, self.env(**env), self.home, [nothing.fileno()] * 3)

    def start(self, *words: str, **env: str) -> subprocess.Popen[str]:
        """Begin a command that goes on; its output is read by the caller."""
        return subprocess.Popen(
            [*COMMAND, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.env(PYTHONUNBUFFERED="1", **env),
            cwd=self.home,
            start_new_session=True,
        )
