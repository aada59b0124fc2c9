"""The golden files in `spec/` and `docs/reference/`: what every surface looks like, written from the declarations.

`python -m crosstie.spec` writes them, `python -m crosstie.spec --check` says which are stale.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast

import msgspec

from crosstie import reference
from crosstie.api import asyncapi, openapi, server
from crosstie.api.entry import Api
from crosstie.api.events import described
from crosstie.api.live.stream import Stream
from crosstie.api.operation import Operation
from crosstie.app import functions
from crosstie.catalog import catalogue
from crosstie.db import policies
from crosstie.declare.catalogue import Catalogue
from crosstie.kit import json
from crosstie.log.unit import Log
from crosstie.watch.dashboard import dashboard, rules

ROOT = Path(__file__).parents[2]
#: the address that documents name; a running installation serves them with its own
ADDRESS = "http://127.0.0.1:8080"


def operations(declared: Catalogue) -> list[Operation]:
    """Every operation of a catalogue; nothing is opened, for none is called."""
    nothing = cast("Any", None)
    log = Log(nothing, nothing, declared, 0, nothing, nothing)
    api = Api(log, "", nothing, nothing, ADDRESS, dict(declared.resources))
    return server.operations(server.Parts(api, nothing, nothing, nothing, nothing, Stream(api, nothing), nothing))


def files(declared: Catalogue) -> dict[str, bytes]:
    """Path below the project's root → content."""
    rights = policies.render(declared.tables, functions(), policies.Roles())
    found = {
        "spec/openapi.json": _pretty(openapi.document(operations(declared), declared, ADDRESS)),
        "spec/asyncapi.json": _pretty(asyncapi.document(declared, ADDRESS)),
        "spec/grafana.json": _pretty(dashboard()),
        "spec/prometheus-rules.json": _pretty(rules()),
        "spec/policies.sql": ("\n\n".join(rights) + "\n").encode(),
    }
    found |= {f"docs/reference/{name}": page.encode() for name, page in reference.pages(declared).items()}
    return found | {f"spec/events/{event.name}.json": _pretty(described(event)) for event in declared.events.values()}


def stale(folder: Path, wanted: dict[str, bytes]) -> list[str]:
    """The files that differ from what the declarations say, those included that nothing declares any more."""
    kept = {str(path.relative_to(folder)) for path in folder.glob("spec/events/*.json")}
    differing = {name for name, body in wanted.items() if not _same(folder / name, body)}
    return sorted(differing | (kept - wanted.keys()))


def write(folder: Path, wanted: dict[str, bytes]) -> list[str]:
    """Make the folder equal to the declarations; answers what changed."""
    changed = stale(folder, wanted)
    for name in changed:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name in wanted:
            path.write_bytes(wanted[name])
        else:
            path.unlink()
    return changed


def _same(path: Path, body: bytes) -> bool:
    return path.is_file() and path.read_bytes() == body


def _pretty(document: Any) -> bytes:
    return msgspec.json.format(json.dumps(document), indent=1) + b"\n"


def main(arguments: list[str]) -> int:
    """The command: 0 where all is fresh or was written, 1 where `--check` finds stale files."""
    wanted = files(catalogue())
    if "--check" not in arguments:
        changed = write(ROOT, wanted)
        sys.stdout.write("".join(f"{name}\n" for name in changed))
        return 0
    found = stale(ROOT, wanted)
    if found:
        sys.stderr.write(f"stale: {', '.join(found)}; run `make spec` and read the difference\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
