"""A page that somebody adds is there: in the navigation, with its title, without a list to be kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosstie.api.manual import guide
from crosstie.api.manual.frame import Frame
from crosstie.api.manual.markdown import draw, target
from crosstie.api.manual.search import Target, find
from crosstie.api.manual.shelf import read


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, text in {
        "index.md": "# All\n\nHello.",
        "how-to/b.md": "<!-- made -->\n# Zebra crossings\n\nHow *they* [work](../decisions/0002-b.md#why).\n\n## Why\n",
        "how-to/c.md": "# A `road`\n\n```sh\nls\n```\n\nText.",
        "decisions/0002-b.md": "# 2. B",
        "decisions/0001-z.md": "# 1. Z",
        "partner-kit/one.md": "no heading",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_folders_are_sections_and_first_headings_titles(root: Path) -> None:
    found = [(each.title, [page.title for page in each.pages]) for each in read(root).sections]
    assert found == [
        ("How to", ["A road", "Zebra crossings"]),
        ("Decisions", ["1. Z", "2. B"]),
        ("Partner kit", ["one"]),
    ]
    assert [page.lead for page in read(root).sections[0].pages] == ["Text.", "How they work."]


def test_every_page_is_in_the_navigation_of_every_page(root: Path) -> None:
    shelf = read(root)
    pages = guide.pages(shelf, Frame(guide.navigation(shelf)))
    assert {f"/docs/{page.path}" for page in shelf.pages} < pages.keys()
    for draws in pages.values():
        html = draws()
        for page in shelf.pages:
            assert f'href="/docs/{page.path}"' in html


@pytest.mark.parametrize(
    ("href", "there"),
    [
        ("b.md", "/docs/how-to/b"),
        ("../errors/conflict.md#example", "/docs/errors/conflict#example"),
        ("../index.md", "/docs"),
        ("#here", "#here"),
        ("/reference/events", "/reference/events"),
        ("https://example.com/x.md", "https://example.com/x.md"),
    ],
)
def test_links_between_files_are_links_between_pages(href: str, there: str) -> None:
    assert target(href, "how-to/a") == there
    assert f'href="{there}"' in draw(f"[x]({href})", "how-to/a").html


def test_headings_have_anchors_as_code_hosts_make_them() -> None:
    html, headings = draw("# A\n\n## What `x` is, and why\n\n## Same\n\n## Same\n", "a")
    assert [heading.id for heading in headings] == ["what-x-is-and-why", "same", "same-1"]
    assert '<h2 id="what-x-is-and-why">' in html


def test_html_in_a_page_is_text() -> None:
    assert "<script" not in draw("<script>x</script>\n\n`<b>`\n\n```nonsense\n<i>\n```", "a").html


def test_search_wants_every_word_and_prefers_titles() -> None:
    targets = [
        Target("/1", "How to", "Replay", "Send past events again to an endpoint."),
        Target("/2", "How to", "Endpoints", "An endpoint hears of events; a replay sends them again."),
        Target("/3", "API", "GET /api/v1/jobs", "List jobs."),
    ]
    assert [found.href for found in find(targets, "replay")] == ["/1", "/2"]
    assert [found.href for found in find(targets, "ENDPOINT events")] == ["/2", "/1"]
    assert [found.href for found in find(targets, "jobs nonsense")] == []
    assert [found.href for found in find([*targets, Target("/4", "How to", "B", "Jobs", 30)], "jobs")] == ["/4", "/3"]
    assert find(targets, "   ") == []
    assert "replay sends" in find(targets, "replay hears")[0].excerpt
