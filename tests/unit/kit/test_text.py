import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosstie.kit import text

PARTS = st.sampled_from(["job", "jobs", "created", "erp", "purchase_order", "a", "3d"])
NAMES = st.lists(PARTS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.just("*") | NAMES | NAMES.map("{}.*".format) | NAMES.map("*.{}".format)


def fits(name: str, pattern: str) -> bool:
    """The rule, part by part."""
    parts, wanted = name.split("."), pattern.split(".")
    if pattern == "*":
        return True
    if wanted[-1] == "*":
        return len(parts) >= len(wanted) and parts[: len(wanted) - 1] == wanted[:-1]
    if wanted[0] == "*":
        return len(parts) >= len(wanted) and parts[1 - len(wanted) :] == wanted[1:]
    return parts == wanted


@given(st.lists(PATTERNS, max_size=4), NAMES)
def test_a_name_matches_when_it_fits_one_pattern(patterns: list[str], name: str) -> None:
    assert text.matcher(patterns)(name) == any(fits(name, pattern) for pattern in patterns)


@pytest.mark.parametrize(
    ("pattern", "name", "match"),
    [
        ("*", "job.created", True),
        ("job.*", "job.created", True),
        ("job.*", "job.part.added", True),
        ("job.*", "job", False),
        ("job.*", "jobs.created", False),
        ("*.created", "job.created", True),
        ("*.created", "erp.invoice.created", True),
        ("*.created", "created", False),
        ("*.created", "job.recreated", False),
        ("job.created", "job.created", True),
        ("job.created", "job.created.late", False),
    ],
)
def test_a_star_stands_for_whole_parts(pattern: str, name: str, match: bool) -> None:
    assert text.matcher([pattern])(name) is match


def test_a_pattern_may_have_200_characters() -> None:
    assert text.matcher(["a" * 200])("a" * 200)


def test_no_pattern_matches_nothing() -> None:
    assert not text.matcher([])("job.created")


@pytest.mark.parametrize(
    "pattern",
    [
        "", ".", "job.", ".job", "job..created", "job*", "*job", "job.*.created", "**", "*.*", "*.", ".*",
        "Job.created", "job created", "job.created\n", "jöb.*", "job-created", "job.%", "a" * 201, "*.job.*",
    ],
)  # fmt: skip
def test_refuses_other_patterns(pattern: str) -> None:
    with pytest.raises(ValueError, match="not a pattern"):
        text.matcher(["job.*", pattern])


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("", set()),
        (" - / ", set()),
        ("The quick, BROWN fox", {"the", "quick", "brown", "fox"}),
        ("INV-0042/a_b", {"inv", "0042", "a", "b"}),
        ("Ana.Silva@example.com", {"ana", "silva", "example", "com"}),
        ("O'Neill’s 12.50", {"o", "neill", "s", "12", "50"}),
        ("Čafé CAFÉ cafe\u0301", {"cafe"}),
        ("Straße STRASSE", {"strasse"}),
        ("ﬁne Ｆｕｌｌ x²", {"fine", "full", "x2"}),
        ("Ærø Łódź İstanbul", {"ærø", "łodz", "istanbul"}),
        ("ΟΔΟΣ οδός", {"οδοσ"}),
        ("Ёлка елка", {"елка"}),
        ("أحمد احمد أَحْمَد", {"احمد"}),
        ("مـحـمـد محمد", {"محمد"}),
        ("می\u200cخواهم", {"میخواهم"}),
        ("שָׁלוֹם שלום", {"שלום"}),
        ("हिन्दी", {"हिनदी"}),
        ("東京 ﾄｳｷｮｳ", {"東京", "トウキョウ"}),
        ("co\u00adoperate zero\u200bwidth", {"cooperate", "zerowidth"}),
        ("no\u00a0break\u3000wide", {"no", "break", "wide"}),
        ("🚚 van—man", {"van", "man"}),
    ],
)
def test_words_are_found_however_they_are_written(written: str, words: set[str]) -> None:
    assert text.tokens(written) == words


def test_takes_the_first_words_and_cuts_long_ones() -> None:
    assert text.tokens(" ".join(f"w{n}" for n in range(100))) == {f"w{n}" for n in range(64)}
    assert text.tokens("same " * 100 + "other") == {"same", "other"}
    assert text.tokens("x" * 41) == text.tokens("x" * 40) == {"x" * 40}
    assert text.tokens("é" * 41) == {"e" * 40}
    assert text.tokens("x " * 5_000 + "late") == {"x"}
    assert text.tokens("x " * 4_998 + "last") == {"x", "last"}


@given(st.text())
def test_tokens_are_bounded_and_stable(written: str) -> None:
    found = text.tokens(written)
    assert len(found) <= 64
    assert all(1 <= len(word) <= 40 and not any(char.isspace() for char in word) for word in found)
    assert text.tokens(" ".join(found)) == found
    assert text.tokens(unicodedata.normalize("NFC", written)) == text.tokens(unicodedata.normalize("NFD", written))


@given(st.text(), st.integers(0, 30))
def test_cutting_never_splits_a_character(written: str, limit: int) -> None:
    body = written.encode("utf-8")
    cut = text.truncate(body, limit)
    assert body.startswith(cut)
    assert len(cut) <= limit
    assert len(cut) >= min(len(body), limit - 3)
    assert written.startswith(cut.decode())
    assert len(written) == len(cut.decode()) or len(cut + written[len(cut.decode())].encode()) > limit


@given(st.binary(), st.integers(0, 30))
def test_cutting_any_bytes_loses_three_at_most(body: bytes, limit: int) -> None:
    cut = text.truncate(body, limit)
    assert body.startswith(cut)
    assert min(len(body), limit) - 3 <= len(cut) <= limit


def test_cutting_known_bytes() -> None:
    assert text.truncate(b"abc", 3) == b"abc"
    assert text.truncate(b"abcd", 3) == b"abc"
    assert text.truncate("ab€".encode(), 4) == b"ab"
    assert text.truncate("😀".encode(), 3) == b""
    assert text.truncate(b"\x80" * 10, 5) == b"\x80" * 5
    assert text.truncate(b"\xf0" + b"\x80" * 5, 4) == b"\xf0\x80\x80\x80"
    assert text.truncate(b"\xf0" + b"\x80" * 5, 3) == b""
