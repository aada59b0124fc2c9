"""Templates hold what a message needs, and nothing that reaches out, runs or grows."""

from __future__ import annotations

import pytest

from crosstie.declare.catalogue import SAMPLE_TIME
from crosstie.kit.locale import LANGUAGES
from crosstie.modules.notifications import render
from crosstie.modules.notifications.built import TEMPLATES
from crosstie.modules.notifications.rule import BUILT
from crosstie.modules.notifications.template import Template, filled
from crosstie.modules.notifications.value import Placeholder, judged, sample, written


@pytest.mark.parametrize("bad", ["a\r\nBcc: x", "a\nb", "a\x00b", "a\u2028b", "a\x85b", "\t a \t"])
def test_a_subject_is_one_line(bad: str) -> None:
    found = render.subject("{{ x }}", {"x": bad})
    assert found == found.strip()
    assert len(found.splitlines()) == 1
    assert not [each for each in found if ord(each) < 32]


def test_addresses_become_links() -> None:
    (first, second) = render.paragraphs("See https://a.example/x?y=1 now\nor not\n\nBye")
    assert first == [("See ", None), ("https://a.example/x?y=1",) * 2, (" now\nor not", None)]
    assert second == [("Bye", None)]


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("locale", LANGUAGES)
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
