"""What a start costs, counted in what it loads: seconds depend on the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: what only migrations, commands and pages of one's own need
TOOLS = ("alembic", "mako", "crosstie.db.migrate", "crosstie.command.up", "crosstie.sandbox")
LOADED = f"""
import sys
import crosstie.command.child
sys.exit([name for name in {TOOLS!r} if name in sys.modules] or 0)
"""
COMPILED = """
import importlib, os, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
found = {name: getattr(module, "__cached__", None) for name, module in sys.modules.items()}
sys.exit([name for name, path in found.items() if path and "site-packages" in path and not os.path.exists(path)] or 0)
"""


def test_what_serves_loads_no_tools_of_migrations() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["up", "child", "sandbox", "nouns"])
def test_no_start_compiles_what_was_installed(command: str) -> None:
    """Where Python may not write bytecode, an installation without it takes three times as long to start."""
    call = [sys.executable, "-B", "-c", COMPILED, f"crosstie.command.{command}"]
    done = subprocess.run(call, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
