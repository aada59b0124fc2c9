"""Templates become text: Jinja's grammar cut down to what a message needs, in its sandbox, with bounded work.

What is left is names, attributes, comparisons, `if`, `for` over values that were handed in, and a few filters.
There are no calls, no arithmetic, no assignments, macros or imports: nothing that could reach out, grow without end or
recurse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

#: characters of what one part of a message may become
LONGEST = 100_000
SUBJECT = 200
#: loops inside loops
DEEPEST = 2
FILTERS = ("upper", "lower", "title", "trim", "default", "join", "length", "first", "last", "escape", "e")
ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Const, nodes.If,
    nodes.For, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr,
    nodes.EvalContextModifier,
)  # fmt: skip
TESTS = ("defined", "none", "true", "false", "undefined")
SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Unusable(ValueError):
    """A template that is not taken, or that cannot be filled in; the message says why."""


def _shown(value: Any) -> Any:
    """What was not sent is nothing to be read."""
    return "" if value is None else value


def _environment(*, markup: bool) -> ImmutableSandboxedEnvironment:
    found = ImmutableSandboxedEnvironment(autoescape=markup, undefined=StrictUndefined, finalize=_shown)
    found.globals.clear()
    found.filters = {name: found.filters[name] for name in FILTERS}
    found.tests = {name: found.tests[name] for name in (*TESTS, "eq", "ne", "lt", "gt", "le", "ge", "in")}
    return found


_MARKUP, _PLAIN = _environment(markup=True), _environment(markup=False)


def check(source: str) -> frozenset[str]:
    """The names that a template asks for. Raises Unusable where it holds more than a message needs."""
    try:
        tree = _PLAIN.parse(source)
    except (TemplateError, RecursionError) as error:
        raise Unusable(f"cannot be read: {error}") from None
    wanted: set[str] = set()
    _walk(tree, frozenset(), 0, wanted)
    return frozenset(wanted)


def _walk(node: nodes.Node, bound: frozenset[str], depth: int, wanted: set[str]) -> None:
    if not isinstance(node, ALLOWED):
        raise Unusable(f"must not hold {type(node).__name__.lower()} (line {node.lineno})")
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        raise Unusable(f"knows no filter {node.name} (line {node.lineno})")
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        raise Unusable(f"knows no test {node.name} (line {node.lineno})")
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        raise Unusable(f"must not name {node.attr} (line {node.lineno})")
    if isinstance(node, nodes.Name) and node.ctx == "load" and node.name not in bound:
        wanted.add(node.name)
    if isinstance(node, nodes.For):
        if depth == DEEPEST or node.recursive:
            raise Unusable(f"must not hold more than {DEEPEST} loops inside each other (line {node.lineno})")
        _walk(node.iter, bound, depth, wanted)
        bound |= {each.name for each in node.target.find_all(nodes.Name)} | _own(node.target) | {"loop"}
        depth += 1
    for child in node.iter_child_nodes():
        if not (isinstance(node, nodes.For) and child in (node.iter, node.target)):
            _walk(child, bound, depth, wanted)


def _own(target: nodes.Node) -> set[str]:
    return {target.name} if isinstance(target, nodes.Name) else set()


def plain(source: str, values: Mapping[str, Any]) -> str:
    """A text part. Raises Unusable."""
    return _render(source, values, markup=False).strip()


def markup(source: str, values: Mapping[str, Any]) -> str:
    """An HTML part, in which every value is escaped. Raises Unusable."""
    return _render(source, values, markup=True)


def subject(source: str, values: Mapping[str, Any]) -> str:
    """A line of a header: one line, whatever the values hold. Raises Unusable."""
    return SPACE.sub(" ", plain(source, values)).strip()[:SUBJECT]


def _render(source: str, values: Mapping[str, Any], *, markup: bool) -> str:
    found, length = [], 0
    try:
        for piece in _compiled(source, markup).generate(values):
            length += len(piece)
            if length > LONGEST:
                raise Unusable(f"becomes longer than {LONGEST} characters")
            found.append(piece)
    except (TemplateError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, Unusable):
            raise
        raise Unusable(f"cannot be filled in: {error}") from None
    return "".join(found)


@lru_cache(512)
def _compiled(source: str, markup: bool) -> Any:
    check(source)
    return (_MARKUP if markup else _PLAIN).from_string(source)


PARAGRAPH = re.compile(r"\n\s*\n")
ADDRESS = re.compile(r"https?://[^\s<>\"]+")


def paragraphs(text: str) -> Iterator[list[tuple[str, str | None]]]:
    """A text as HTML wants it: paragraphs, each of runs, which are words or addresses (text, address or None)."""
    for each in PARAGRAPH.split(text.strip()):
        runs: list[tuple[str, str | None]] = []
        at = 0
        for found in ADDRESS.finditer(each):
            runs += [(each[at : found.start()], None), (found[0], found[0])]
            at = found.end()
        yield [run for run in (*runs, (each[at:], None)) if run[0]]
