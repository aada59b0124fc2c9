"""Templates hold what a message needs, and nothing that reaches out, runs or grows."""

from __future__ import annotations

import pytest

from crosstie.declare.catalogue import SAMPLE_TIME
from crosstie.modules.notifications import render
from crosstie.modules.notifications.built import LOCALES, TEMPLATES
from crosstie.modules.notifications.rule import BUILT
from crosstie.modules.notifications.template import Template, filled
from crosstie.modules.notifications.value import Placeholder, judged, sample, written


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
    with pytest.raises(render.Unusable):
        render.plain(source, {"x": "abc"})


def test_lines_stay_lines() -> None:
    source = "A\n{% for a in x %}\n– {{ a }}{% endfor %}\n{% if x %}\nB{% endif %}"
    assert render.plain(source, {"x": [1, 2]}) == "A\n\n– 1\n– 2\n\nB"


def test_names_are_found() -> None:
    found = render.check("{{ a }}{% for b in c %}{{ b.d|upper }}{{ loop.index }}{% endfor %}{% if e == 1 %}{% endif %}")
    assert found == {"a", "c", "e"}
    assert render.check("{% for b, d in c %}{{ b }}{{ d }}{% endfor %}{{ d }}") == {"c", "d"}


def test_what_grows_is_cut_off() -> None:
    source = "{% for a in x %}{% for b in x %}" + "y" * 1000 + "{% endfor %}{% endfor %}"
    with pytest.raises(render.Unusable, match="longer"):
        render.plain(source, {"x": list(range(500))})


def test_html_escapes_and_text_does_not() -> None:
    values = {"x": "<script>&\"'"}
    assert render.plain("{{ x }}", values) == values["x"]
    assert "<" not in render.markup("{{ x }}", values)
    assert render.markup("<b>{{ x|upper }}</b>", values) == "<b>&lt;SCRIPT&gt;&amp;&#34;&#39;</b>"


@pytest.mark.parametrize("bad", ["a\r\nBcc: x", "a\nb", "a\x00b", "a\u2028b", "a\x85b", "\t a \t"])
def test_a_subject_is_one_line(bad: str) -> None:
    found = render.subject("{{ x }}", {"x": bad})
    assert found == found.strip()
    assert len(found.splitlines()) == 1
    assert not [each for each in found if ord(each) < 32]


def test_a_missing_value_is_said() -> None:
    with pytest.raises(render.Unusable, match="undefined"):
        render.plain("{{ x }}", {})


def test_addresses_become_links() -> None:
    (first, second) = render.paragraphs("See https://a.example/x?y=1 now\nor not\n\nBye")
    assert first == [("See ", None), ("https://a.example/x?y=1",) * 2, (" now\nor not", None)]
    assert second == [("Bye", None)]


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("locale", LOCALES)
def test_every_message_of_our_own_reads(name: str, locale: str) -> None:
    built = TEMPLATES[name]
    template = Template(name, locale, built.category, built.placeholders, built.words[locale])
    also = {"firm": "Acme"} | ({built.late: "https://x.example/l"} if built.late else {})
    full = filled(template, sample(built.placeholders), "UTC", also)
    bare = filled(template, {}, "UTC", also | ({"items": []} if name == "digest" else {}))
    for content in (full, bare):
        assert "None" not in content.subject + content.text
        assert "{" not in content.subject + content.text
    assert full.subject


def test_every_rule_of_our_own_has_its_template() -> None:
    assert {each.template for each in BUILT.values()} <= TEMPLATES.keys()


def test_values_are_judged_and_written_by_their_type() -> None:
    kinds = (
        Placeholder("a", "money"), Placeholder("b", "time"), Placeholder("c", "date"), Placeholder("d", "number"),
        Placeholder("e", "link"), Placeholder("f", "list"), Placeholder("g", required=True),
    )  # fmt: skip
    faults: list = []
    judged(kinds, {"a": 1, "b": "x", "c": "x", "d": True, "e": "x y", "f": {}, "z": 1}, "/data", faults)
    assert sorted(each.pointer for each in faults) == [f"/data/{name}" for name in "abcdefgz"]
    good = {
        "a": {"amount": "1200.50", "currency": "ZAR"}, "b": SAMPLE_TIME, "c": "2026-03-01", "d": "1234.5",
        "e": "https://x.example", "f": [{"n": 1}], "g": "G",
    }  # fmt: skip
    faults = []
    judged(kinds, good, "/data", faults)
    assert faults == []
    found = written(kinds, good, "en", "Africa/Johannesburg")
    assert (found["a"], found["c"], found["d"], found["g"]) == ("ZAR1,200.50", "1 March 2026", "1,234.5", "G")
    assert found["b"].startswith("1 March 2026, 10:00")
    assert written(kinds, {}, "ar", "UTC") == dict.fromkeys("abcdefg")
