"""Every bench, one after the other, and one table of all figures.

    .venv/bin/python bench/table.py [--quick]

Each runs in a process of its own and is cut after its time; what it leaves out is said at the end.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import stand

HERE = Path(__file__).parent
BENCHES = (
    "jobs",
    "ingest",
    "path",
    "latency",
    "live",
    "lists",
    "memory",
    "fairness",
    "credential",
    "inbound",
    "broker",
    "service",
)
SECONDS = 400


def main() -> None:
    figures: list[stand.Figure] = []
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for name in BENCHES:
            found = Path(folder) / name
            command = [sys.executable, str(HERE / f"{name}.py"), "--json", str(found), *sys.argv[1:]]
            print(f"{name} …", file=sys.stderr, flush=True)
            try:
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=SECONDS)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                failed.append(f"{name}: {error}")
                continue
            figures += [stand.Figure(**each) for each in json.loads(found.read_text())]
    stand.show(figures)
    print(*failed, sep="\n")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
