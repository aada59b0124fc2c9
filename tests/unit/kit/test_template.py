"""Templates hold what a page needs, and nothing that reaches out, runs or grows."""

from __future__ import annotations

import tracemalloc

import pytest

from crosstie.kit import template


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ x.__init__.__globals__ }}",
        "{{ x() }}",
        "{{ 'a' * 1000000000 }}",
        "{{ 2 ** 100000 }}",
        "{{ range(99) }}",
        "{% for a in x %}{% for b in x %}{% for c in x %}a{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in x recursive %}{{ loop(a) }}{% endfor %}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% set y = 1 %}",
        "{% block b %}{% endblock %}",
        "{% filter upper %}x{% endfilter %}",
        "{{ x|attr('__class__') }}",
        "{{ x|safe }}",
        "{{ '%s'|format(x) }}",
        "{{ x|map('upper') }}",
        "{{ x ~ x }}",
        "{{ [x] }}",
        "{{ x is callable }}",
        "{{ x",
        "{% if x %}",
        "(" * 2000 + "{{ " + "(" * 2000 + "x" + ")" * 2000 + " }}",
    ],
)
def test_what_could_run_is_refused(source: str) -> None:
    with pytest.raises(template.Unusable):
        template.plain(source, {"x": "abc"})


def test_lines_stay_lines() -> None:
    source = "A\n{% for a in x %}\n– {{ a }}{% endfor %}\n{% if x %}\nB{% endif %}"
    assert template.plain(source, {"x": [1, 2]}) == "A\n\n– 1\n– 2\n\nB"


def test_names_are_found() -> None:
    found = template.check(
        "{{ a }}{% for b in c %}{{ b.d|upper }}{{ loop.index }}{% endfor %}{% if e == 1 %}{% endif %}"
    )
    assert found == {"a", "c", "e"}
    assert template.check("{% for b, d in c %}{{ b }}{{ d }}{% endfor %}{{ d }}") == {"c", "d"}


def test_what_grows_is_cut_off() -> None:
    source = "{% for a in x %}{% for b in x %}" + "y" * 1000 + "{% endfor %}{% endfor %}"
    with pytest.raises(template.Unusable, match="longer"):
        template.plain(source, {"x": list(range(500))})


def test_html_escapes_and_text_does_not() -> None:
    values = {"x": "<script>&\"'"}
    assert template.plain("{{ x }}", values) == values["x"]
    assert "<" not in template.markup("{{ x }}", values)
    assert template.markup("<b>{{ x|upper }}</b>", values) == "<b>&lt;SCRIPT&gt;&amp;&#34;&#39;</b>"


TEXT, ROWS = "y" * 5000, [{"a": "x" * 500}] * 500


@pytest.mark.parametrize(
    "source",
    [
        "{{ x|join(x|join(x|join(x))) }}",
        "{% if y|join(y|join('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')) == 'b' %}{% endif %}",
        "{% for a in x %}{% for b in x %}{% endfor %}{% endfor %}",
        "{% for a in y %}{% for b in y %}{% if a == b %}{% endif %}{% endfor %}{% endfor %}",
        "{% for a in x %}{% if x|upper|lower|upper|lower == 'x' %}{% endif %}{% endfor %}",
        "{% for a in x %}{% endfor %}" * 70,
        "{{ x|upper|lower }}" * 3001,
        "{{ x" + "|upper" * 50 + " }}",
        "{% if x %}" * 60 + "{% endif %}" * 60,
        "{{ not " + "not " * 200 + "x }}",
    ],
)
def test_bombs_end_soon_and_small(source: str) -> None:
    """Red proof: each is refused for what it would cost, not for what it is made of."""
    tracemalloc.start()
    try:
        with pytest.raises(template.Unusable, match=r"too much|longer|inside"):
            template.markup(source, {"x": TEXT, "y": ROWS})
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


def test_work_that_pages_need_is_done() -> None:
    last = "{% if loop.last %}<td>{{ loop.length }}</td>{% endif %}"
    rows = "{% for a in y %}<tr><td>{{ a.a|upper }}</td>" + last + "</tr>{% endfor %}"
    assert template.markup(rows, {"y": ROWS[:100]}).endswith("<td>100</td></tr>")
    assert template.plain("{{ y|join(', ', 'a') }}", {"y": [{"a": "1"}, {"a": "2"}]}) == "1, 2"


@pytest.mark.parametrize(
    ("source", "line"),
    [("a\n{{ x", 2), ("a\n\n{% for %}", 3), ("a\n{{ x.y.z }}", 2), ("{{ x }}\n\n{{ y }}", 3), ("\n{% set a = 1 %}", 2)],
)
def test_what_is_wrong_has_a_line(source: str, line: int) -> None:
    with pytest.raises(template.Unusable, match=rf"\(line {line}\)"):
        template.markup(source, {"x": {"y": {}}})


def test_a_missing_value_is_said() -> None:
    with pytest.raises(template.Unusable, match="undefined"):
        template.plain("{{ x }}", {})
