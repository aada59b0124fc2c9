"""Every problem has its page, and every page its problem."""

from __future__ import annotations

import re

import pytest

from crosstie import errors
from crosstie.api.manual import shelf
from crosstie.errors import Problem, problems
from crosstie.kit import json

PAGES = shelf.folder() / "errors"
CODES = {problem.code: problem for problem in problems()}


def test_pages_and_problems_are_the_same_set() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == CODES.keys()


def test_the_tree_at_the_top_of_errors_names_every_class() -> None:
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or ""))
    assert {problem.__name__ for problem in problems()} <= drawn


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_page_says_what_its_class_says(code: str) -> None:
    page = (PAGES / f"{code}.md").read_text("utf-8")
    problem = CODES[code]
    assert page.startswith(f"# {problem.title()}\n\nStatus `{problem.status}`, code `{code}`.\n")
    for part in ("What it means", "Why it happens", "What to do", "Example"):
        assert f"\n## {part}\n" in page
    (example,) = re.findall(r"```json\n(.+?)```", page, re.S)
    shown = json.loads(example.encode())
    assert shown.keys() <= {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert (shown["title"], shown["status"], shown["code"]) == (problem.title(), problem.status, code)
    assert shown["type"].endswith(f"/docs/errors/{code}")


def test_codes_belong_to_one_status() -> None:
    for problem in problems():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", problem.code)
        assert problem is Problem or CODES[problem.code].status == problem.status
