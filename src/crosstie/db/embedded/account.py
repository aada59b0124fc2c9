"""Whom the server runs as. PostgreSQL refuses to run as root, so that root needs an account for it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from crosstie.errors import ConfigurationError

NAME = "crosstie"
MAKERS = (
    ("useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", NAME),
    ("adduser", "-S", "-D", "-H", "-h", "/nonexistent", "-s", "/sbin/nologin", NAME),  # BusyBox
)


class Account(NamedTuple):
    """A user of the machine; `switch` says whether a process must be changed to it."""

    uid: int
    gid: int
    switch: bool

    def options(self) -> dict[str, Any]:
        """Arguments for `subprocess`: the account, and an environment without anything that PostgreSQL would obey."""
        identity = {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}
        return {**identity, "env": {"PATH": os.defpath, "LC_ALL": "C"}, "umask": 0o077, "stdin": subprocess.DEVNULL}

    def give(self, path: Path) -> None:
        """Makes `path` the account's own."""
        if self.switch:
            os.chown(path, self.uid, self.gid)


def account(data: Path) -> Account:
    """The account that owns `data` or, where it does not exist yet, the one that shall."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    if data.exists():
        found = data.stat()
        return Account(found.st_uid, found.st_gid, switch=True)
    entry = _entry() or _made()
    return Account(entry.pw_uid, entry.pw_gid, switch=True)


def _entry() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        return None


def _made() -> pwd.struct_passwd:
    for command in MAKERS:
        if shutil.which(command[0]):
            # a start beside this one may be quicker: what counts is that the account is there afterwards
            subprocess.run(command, check=False, capture_output=True)
            entry = _entry()
            if entry:
                return entry
    raise ConfigurationError(
        f"PostgreSQL does not run as root and the account {NAME!r} could not be made: add it, "
        "run Crosstie as an ordinary user, or set CROSSTIE_DATABASE_URL."
    )
