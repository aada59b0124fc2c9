"""The documentation and the API reference as files, for any web server: `python -m crosstie.publish FOLDER`.

A page lies at `<address>.html`: servers of static files find `/docs/how-to/backup` there by themselves, or are told to.
"""

from __future__ import annotations

import sys
from pathlib import Path

from crosstie.api import asyncapi, openapi
from crosstie.api.manual import shelf, site
from crosstie.api.manual.reference import Description
from crosstie.catalog import catalogue
from crosstie.kit import json
from crosstie.spec import ADDRESS, operations


def files() -> dict[str, bytes]:
    """Path below the folder → content."""
    declared = catalogue()
    document = openapi.document(operations(declared), declared, ADDRESS)
    pages = site.pages(shelf.read(shelf.folder()), Description(document, declared.events), live=False)
    found = {f"{address[1:]}.html": draw().encode() for address, draw in pages.items()}
    found |= {"openapi.json": json.dumps(document), "asyncapi.json": json.dumps(asyncapi.document(declared, ADDRESS))}
    return found | {"index.html": found["docs.html"]}


def main(arguments: list[str]) -> int:
    """Write them."""
    folder = Path(*arguments)
    wanted = files()
    for name, body in wanted.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    sys.stdout.write(f"{len(wanted)} files in {folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
