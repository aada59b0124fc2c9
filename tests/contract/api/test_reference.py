"""The reference says what is so: every example holds against its schema, and published pages stand alone."""

from __future__ import annotations

import json
import re
import shlex
from html.parser import HTMLParser
from typing import Any

import jsonschema_rs
import pytest

from crosstie.api.manual import operation, schema
from crosstie.command.spec import openapi
from crosstie.publish import files

DOCUMENT = openapi()
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = [
    (method, path, each) for path, methods in DOCUMENT["paths"].items() for method, each in methods.items()
]  # fmt: skip


def _fits(given: dict[str, Any], value: Any) -> None:
    whole = {**given, "components": {"schemas": SCHEMAS}}
    jsonschema_rs.validator_for(whole, validate_formats=False).validate(value)


@pytest.mark.parametrize(("method", "path", "one"), OPERATIONS, ids=[each[2]["operationId"] for each in OPERATIONS])
def test_examples_hold(method: str, path: str, one: dict[str, Any]) -> None:
    for answer in one["responses"].values():
        if given := answer.get("content", {}).get("application/json", {}).get("schema"):
            _fits(given, schema.sample(given, SCHEMAS))
    words = shlex.split(operation.call(method.upper(), path, one, SCHEMAS, "https://example.com"))
    assert not re.search(r"[{}]", words[words.index("curl") + (1 if method == "get" else 3)])
    if "-d" in words:
        _fits(one["requestBody"]["content"]["application/json"]["schema"], json.loads(words[words.index("-d") + 1]))


class Seen(HTMLParser):
    """What a page loads, where it leads, and what can be led to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        found = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.loads += [found[name] for name in ("src", "srcset", "data", "poster", "action") if name in found]
        if "href" in found:
            (self.links if tag == "a" else self.loads).append(found["href"])
        if "id" in found:
            self.ids.append(found["id"])


def test_published_pages_load_nothing_and_their_links_lead_somewhere() -> None:
    written = files()
    pages = {
        f"/{name.removesuffix('.html')}": Seen(body.decode())
        for name, body in written.items()
        if name.endswith(".html")
    }
    broken = []
    for address, page in pages.items():
        assert page.loads == []
        assert page.tags.isdisjoint({"script", "link", "img", "iframe", "base"})
        assert len(page.ids) == len(set(page.ids)), address
        for link in page.links:
            place, _, part = link.partition("#")
            if re.match("https?:|mailto:", place) or place[1:] in written:
                continue
            there = pages.get(place or address)
            if there is None or (part and part not in there.ids):
                broken.append(f"{address} -> {link}")
    assert broken == []
    assert not any("url(" in body.decode() or "@import" in body.decode() for body in written.values())
