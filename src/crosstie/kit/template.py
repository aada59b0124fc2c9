"""Templates that people write become text: Jinja's grammar cut down to what a page needs, in its sandbox.

What is left is names, attributes, comparisons, `if`, `for` over values that were handed in, and a few filters.
There are no calls, no arithmetic, no assignments, macros or imports: nothing that could reach out, grow without end or
recurse. What one filling may cost is counted by the nodes that it passes, so that loops over long values end soon.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from traceback import extract_tb
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes, pass_context, pass_eval_context
from jinja2.filters import sync_do_join
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

#: characters of what one text may become
LONGEST = 100_000
#: loops inside loops; anything inside anything
DEEPEST, NESTED = 2, 40
#: nodes that one filling may pass; a filter goes through a whole text and a round begins anew: they count for more
WORK, FILTER, ROUND = 300_000, 50, 5
FILTERS = ("upper", "lower", "title", "trim", "default", "join", "length", "first", "last", "escape", "e")
ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Const, nodes.If,
    nodes.For, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr,
    nodes.EvalContextModifier,
)  # fmt: skip
TESTS = ("defined", "none", "true", "false", "undefined")
#: what no template can name: the filter that counts the rounds of a loop, and what is left to pass
ROUNDS, LEFT = "rounds of a loop", "left to pass"
#: how Jinja calls a template that is no file
UNNAMED = "<template>"


class Unusable(ValueError):
    """A template that is not taken, or that cannot be filled in; the message says why, and in which line."""


def _shown(value: Any) -> Any:
    """What was not sent is nothing to be read."""
    return "" if value is None else value


@pass_context
def _rounds(context: Context, values: Iterable[Any], cost: int) -> Iterator[Any]:
    """The values of a loop, as long as there is something left to pass."""
    left: list[int] = context[LEFT]
    for value in values:
        left[0] -= cost
        if left[0] < 0:
            raise Unusable("does too much: its loops go too far")
        yield value


@pass_eval_context
def _join(context: EvalContext, values: Iterable[Any], between: str = "", attribute: str | int | None = None) -> Any:
    """Jinja's own, where it makes no more than a text may become: else each join could multiply the one within."""
    found = list(values)
    if len(found) * len(str(between)) > LONGEST:
        raise Unusable(f"becomes longer than {LONGEST} characters")
    return sync_do_join(context, found, between, attribute)


def _environment(*, markup: bool) -> ImmutableSandboxedEnvironment:
    found = ImmutableSandboxedEnvironment(autoescape=markup, undefined=StrictUndefined, finalize=_shown)
    found.globals.clear()
    found.filters = {name: found.filters[name] for name in FILTERS} | {"join": _join, ROUNDS: _rounds}
    found.tests = {name: found.tests[name] for name in (*TESTS, "eq", "ne", "lt", "gt", "le", "ge", "in")}
    return found


_MARKUP, _PLAIN = _environment(markup=True), _environment(markup=False)


def check(source: str) -> frozenset[str]:
    """The names that a template asks for. Raises Unusable where it holds more than a page needs."""
    wanted: set[str] = set()
    tree = _tree(source)
    _walk(tree, frozenset(), (0, 0), wanted)
    if _cost(tree) > WORK:
        raise Unusable("does too much: it is too long")
    return frozenset(wanted)


def _tree(source: str) -> nodes.Template:
    try:
        return _PLAIN.parse(source)
    except TemplateSyntaxError as error:
        raise Unusable(f"cannot be read: {error.message} (line {error.lineno})") from None
    except RecursionError:
        raise Unusable("cannot be read: too much inside each other") from None


def _walk(node: nodes.Node, bound: frozenset[str], depth: tuple[int, int], wanted: set[str]) -> None:
    """`depth` counts what is around the node: loops, and anything."""
    _permitted(node)
    loops, within = depth
    if within > NESTED:
        raise Unusable(f"must not hold more than {NESTED} things inside each other (line {node.lineno})")
    if isinstance(node, nodes.Name) and node.ctx == "load" and node.name not in bound:
        wanted.add(node.name)
    if isinstance(node, nodes.For):
        if loops == DEEPEST or node.recursive:
            raise Unusable(f"must not hold more than {DEEPEST} loops inside each other (line {node.lineno})")
        _walk(node.iter, bound, (loops, within + 1), wanted)
        bound |= {each.name for each in node.target.find_all(nodes.Name)} | _own(node.target) | {"loop"}
        loops += 1
    for child in node.iter_child_nodes():
        if not (isinstance(node, nodes.For) and child in (node.iter, node.target)):
            _walk(child, bound, (loops, within + 1), wanted)


def _permitted(node: nodes.Node) -> None:
    if not isinstance(node, ALLOWED):
        raise Unusable(f"must not hold {type(node).__name__.lower()} (line {node.lineno})")
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        raise Unusable(f"knows no filter {node.name} (line {node.lineno})")
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        raise Unusable(f"knows no test {node.name} (line {node.lineno})")
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        raise Unusable(f"must not name {node.attr} (line {node.lineno})")


def _own(target: nodes.Node) -> set[str]:
    return {target.name} if isinstance(target, nodes.Name) else set()


def _cost(node: nodes.Node) -> int:
    """What passing a node once costs, with all that is inside."""
    own = FILTER if isinstance(node, nodes.Filter) else 1
    return own + sum(_cost(child) for child in node.iter_child_nodes())


#: a value of which nothing is known
ANY = object()


def fits(source: str, values: Mapping[str, Any]) -> None:
    """Raise Unusable where a template names what is not there, whether or not it would come to it.

    `values` are an example of what it will be filled with, lists with one entry.
    """
    _fit(_tree(source), values)


def _fit(node: nodes.Node, known: Mapping[str, Any]) -> Any:
    """What a node stands for; ANY where that cannot be told."""
    if isinstance(node, nodes.Name):
        if node.name not in known:
            raise Unusable(f"names {node.name}, which is not there (line {node.lineno})")
        return known[node.name]
    if isinstance(node, nodes.For):
        return _fit_loop(node, known)
    found = [_fit(child, known) for child in node.iter_child_nodes()]
    if isinstance(node, nodes.Getattr):
        return _part(node, found[0], node.attr)
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return _part(node, found[0], node.arg.value)
    if isinstance(node, nodes.Const):
        return node.value
    if isinstance(node, nodes.Filter) and node.name in ("first", "last") and isinstance(found[0], list):
        return found[0][0] if found[0] else ANY
    return ANY


def _fit_loop(node: nodes.For, known: Mapping[str, Any]) -> Any:
    rows = _fit(node.iter, known)
    targets = {each.name for each in node.target.find_all(nodes.Name)} - _own(node.target)
    inner = {**known, **dict.fromkeys(targets | {"loop"}, ANY)}
    inner |= dict.fromkeys(_own(node.target), rows[0] if isinstance(rows, list) and rows else ANY)
    for child in (*([node.test] if node.test else ()), *node.body, *node.else_):
        _fit(child, inner)
    return ANY


def _part(node: nodes.Node, whole: Any, part: Any) -> Any:
    if whole is ANY or (isinstance(whole, Mapping) and not whole):
        return ANY
    if isinstance(whole, Mapping) and part in whole:
        return whole[part]
    if isinstance(whole, list) and isinstance(part, int):
        return whole[0] if whole else ANY
    raise Unusable(f"names {part}, which is not there (line {node.lineno})")


def plain(source: str, values: Mapping[str, Any]) -> str:
    """A text. Raises Unusable."""
    return _filled(source, values, markup=False).strip()


def markup(source: str, values: Mapping[str, Any]) -> str:
    """HTML in which every value is escaped. Raises Unusable."""
    return _filled(source, values, markup=True)


def _filled(source: str, values: Mapping[str, Any], *, markup: bool) -> str:
    found, length = [], 0
    try:
        for piece in _compiled(source, markup).generate({**values, LEFT: [WORK]}):
            length += len(piece)
            if length > LONGEST:
                raise Unusable(f"becomes longer than {LONGEST} characters")
            found.append(piece)
    except Unusable:
        raise
    except (TemplateError, TypeError, ValueError, LookupError, RecursionError) as error:
        lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == UNNAMED]
        where = f" (line {lines[-1]})" if lines else ""
        raise Unusable(f"cannot be filled in: {error}{where}") from None
    return "".join(found)


@lru_cache(512)
def _compiled(source: str, markup: bool) -> Any:
    check(source)
    tree, environment = _tree(source), _MARKUP if markup else _PLAIN
    for loop in list(tree.find_all(nodes.For)):
        cost = nodes.Const(ROUND + sum(_cost(each) for each in loop.body), lineno=loop.lineno)
        loop.iter = nodes.Filter(loop.iter, ROUNDS, [cost], [], None, None, lineno=loop.lineno)
    tree.set_environment(environment)
    return environment.from_string(tree)
