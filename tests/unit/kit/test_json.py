import json as stdlib
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosstie.kit import json

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NUMBERS = (
    st.integers(-(10**34) + 1, 10**34 - 1)
    | st.decimals(-(10**12), 10**12, places=6)
    | st.sampled_from([Decimal("1E+308"), Decimal("-1E-308"), Decimal("0.1"), Decimal("-0.0")])
)
VALUES = st.recursive(
    st.none() | st.booleans() | TEXT | NUMBERS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=30,
)

ACCEPTED = [
    "null", "true", "false", '""', "[]", "{}", " [ ] ", "\t\r\n1\n", "0", "-0", "-1", "123", "0.5", "-0.0", "1e5",
    "1E5", "1e+5", "1e-5", "1.25E-2", "0e1", "0e+1", "[[]   ]", '[""]', "[null,1,\"1\",{}]", '{"":0}', '{"a":[]}',
    '{"a":{"a":{"a":1}}}', r'"\"\\\/\b\f\n\r\t"', r'"\u00e9\u0001\u2028"', r'"\ud83d\ude00"', r'"\uDBFF\uDFFF"',
    r'"\\u0000"', r'{"\\u0000":"\\u0000"}', '"é€😀"', '"\x7f"', '"\u2028\u2029"', '"/* not a comment */"',
    '{"a":1,"A":2,"á":3}', '"\ufeff"', '"\ufdd0\uffff"',
]  # fmt: skip

REFUSED = {
    "nothing": b"", "space": b" ", "two values": b"1 2", "two objects": b"{}{}", "word": b"tru", "upper": b"True",
    "byte order mark": b"\xef\xbb\xbf{}", "utf-16": '{"a":1}'.encode("utf-16"), "latin-1": b'"\xe9"',
    "raw nul": b"\x00",
    "nul at the end": b"1\x00", "raw nul in a string": b'"\x00"', "overlong": b'"\xc0\xaf"', "cut utf-8": b'"\xe2\x82"',
    "encoded surrogate": b'"\xed\xa0\x80"', "beyond unicode": b'"\xf4\x90\x80\x80"', "tab in a string": b'"\t"',
    "line break in a string": b'"\n"', "open string": b'"a', "open escape": b'"\\', "escape x": b'"\\x41"',
    "escape u of 3": b'"\\u00e"', "escape U": b'"\\U0041"', "single quotes": b"'a'", "bare name": b"{a:1}",
    "number as name": b"{1:1}", "null as name": b"{null:1}", "no colon": b'{"a" 1}', "two colons": b'{"a"::1}',
    "no value": b'{"a":}', "trailing comma": b"[1,]", "trailing comma in object": b'{"a":1,}', "leading comma": b"[,1]",
    "two commas": b"[1,,2]", "open array": b"[1", "open object": b'{"a":1', "crossed": b"[}",
    "closed too often": b"[]]",
    "comment": b"[1/**/]", "line comment": b"1//", "hash": b"1#", "plus": b"+1", "leading zero": b"01",
    "minus leading zero": b"-01", "minus": b"-", "two minus": b"--1", "point": b".5", "nothing after point": b"1.",
    "nothing after e": b"1e", "nothing after e+": b"1e+", "two points": b"1.2.3", "hex": b"0x1", "octal": b"0o1",
    "underscore": b"1_000", "wide digit": "１".encode(), "nan": b"NaN", "minus nan": b"-NaN", "infinity": b"Infinity",
    "minus infinity": b"-Infinity", "inf": b"[inf]", "lone lead": b'"\\ud800"', "lone trail": b'"\\udc00"',
    "swapped pair": b'"\\udc00\\ud800"', "lead and letter": b'"\\ud800a"', "two leads": b'"\\ud800\\ud800"',
    "lead and escape": b'"\\ud800\\n"', "lone lead in a name": b'{"\\ud800":1}', "form feed": b"\x0c1",
    "no-break space": b"\xc2\xa01", "twice": b'{"a":1,"a":1}', "twice, escaped": b'{"a":1,"\\u0061":1}',
    "twice, inside": b'[{"b":{"a":1,"a":2}}]', "twice, empty": b'{"":1,"":2}',
}  # fmt: skip


@pytest.mark.parametrize("text", ACCEPTED)
def test_reads_what_the_standard_allows(text: str) -> None:
    assert json.loads(text.encode()) == stdlib.loads(text, parse_float=Decimal)


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_refuses_what_is_not_json_or_means_two_things(body: bytes) -> None:
    with pytest.raises(json.BadJson) as caught:
        json.loads(body)
    assert caught.value.pointer is None
    assert "Internal" not in caught.value.message


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (rb'"\u0000"', ""),
        (rb'{"a":["x","y\u0000"]}', "/a/1"),
        (rb'{"a":{"b\u0000":1}}', "/a/b\ufffd"),
        (rb'{"b\u0000":"x"}', "/b\ufffd"),
        (rb'{"a":1,"b":[1,{"\u0000":[]}]}', "/b/1/\ufffd"),
        (rb'{"a\u0000":{"b":["\u0000"]}}', "/a\ufffd/b/0"),
        (b"1" * 35, ""),
        (b"1" + b"0" * 34, ""),
        (b"-1" + b"0" * 34, ""),
        (b'{"a~/b":[0,' + b"9" * 35 + b"]}", "/a~0~1b/1"),
        (b"[-" + b"9" * 35 + b"]", "/0"),
        (b"[0." + b"1" * 35 + b"]", "/0"),
        (b"[1." + b"0" * 34 + b"]", "/0"),
        (b"[1e309]", "/0"),
        (b"[10e308]", "/0"),
        (b'{"n":-1E-309}', "/n"),
        (b"0e999", ""),
        (b"[1e999999999]", "/0"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "/a" * 64),
        (b"[" * 65 + b"]" * 65, "/0" * 64),
    ],
)
def test_refuses_json_that_nobody_can_hold(body: bytes, pointer: str) -> None:
    with pytest.raises(json.BadJson) as caught:
        json.loads(body)
    assert caught.value.pointer == pointer


@pytest.mark.parametrize(
    "body",
    [b"9" * 34, b"-" + b"9" * 34, b"0." + b"1" * 34, b"-1." + b"9" * 33, b"1e308", b"9.9E-308", b"[" * 64 + b"]" * 64],
)
def test_reads_to_the_very_limit(body: bytes) -> None:
    assert json.loads(body) == stdlib.loads(body, parse_float=Decimal)


@pytest.mark.parametrize(
    "number", [b"1e99999999999999999999", b"1" * 5000, b"0." + b"1" * 5000, b"1e-99999999999999999999"]
)
def test_refuses_numbers_beyond_the_parser(number: bytes) -> None:
    with pytest.raises(json.BadJson, match=r"out of range|34 digits"):
        json.loads(number)


def test_says_where_the_text_breaks() -> None:
    with pytest.raises(json.BadJson, match="trailing comma at line 2 column 2"):
        json.loads(b"[1,\n ]")


def test_counts_levels_of_nesting() -> None:
    assert json.loads(b"[[1]]", depth=2) == [[1]]
    assert json.loads(b"1", depth=0) == 1
    for body in (b"[[1]]", b'[{"a":1}]', b'{"a":[]}'):
        with pytest.raises(json.BadJson, match="deeply"):
            json.loads(body, depth=1)


def test_counts_names_of_one_object() -> None:
    def body(count: int) -> bytes:
        return stdlib.dumps([{str(n): n for n in range(count)}]).encode()

    assert len(json.loads(body(10_000))[0]) == 10_000
    with pytest.raises(json.BadJson, match="10000 names") as caught:
        json.loads(body(10_001))
    assert caught.value.pointer == "/0"


BOMBS = {
    "arrays": b"[" * 2**20,
    "objects": b'{"a":' * 200_000,
    "digits": b"1" * 2**20,
    "fraction": b"0." + b"1" * 2**20,
    "same name": b"{" + b",".join([b'"a":1'] * 150_000) + b"}",
    "long name twice": b'{"' + b"a" * 2**19 + b'":1,"' + b"a" * 2**19 + b'":1}',
    "many names": b"{" + b",".join(b'"%d":1' % n for n in range(90_000)) + b"}",
}


@pytest.mark.parametrize("body", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_of_a_megabyte_is_refused_at_once(body: bytes) -> None:
    started = time.process_time()
    with pytest.raises(json.BadJson) as caught:
        json.loads(body)
    assert time.process_time() - started < 0.5
    assert len(caught.value.message) <= 200


def test_numbers_keep_every_digit() -> None:
    assert str(json.loads(b"[1200.50, 0.10, 1E+5, 12345678901234567890]")) == (
        "[Decimal('1200.50'), Decimal('0.10'), Decimal('1E+5'), 12345678901234567890]"
    )


@given(VALUES)
def test_what_is_written_reads_the_same(value: Any) -> None:
    body = json.dumps(value)
    assert json.loads(body) == value
    assert json.dumps(json.loads(body)) == body


@given(VALUES, st.integers(0, 200), st.binary(min_size=1, max_size=3))
def test_damaged_json_is_refused_or_read_as_the_standard_library_reads_it(value: Any, at: int, damage: bytes) -> None:
    body = json.dumps(value)
    body = body[: at % len(body)] + damage + body[at % len(body) + 1 :]
    try:
        read = json.loads(body)
    except json.BadJson:
        return
    assert read == stdlib.loads(body, parse_float=Decimal)


def test_writes_each_type_in_its_one_form() -> None:
    value = {
        "id": UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
        "at": datetime(2026, 1, 31, 9, 30, 0, 120_000, UTC),
        "on": date(2026, 1, 31),
        "rate": Decimal("1.50"),
        "sealed": json.raw(b'{"kept":  "as it is"}'),
        "é": "\u2028",
    }
    assert (
        json.dumps(value)
        == (
            '{"id":"01890a5d-ac96-774b-bcce-b302099a8057","at":"2026-01-31T09:30:00.120000Z","on":"2026-01-31","rate":1.50,'
            '"sealed":{"kept":  "as it is"},"é":"\u2028"}'
        ).encode()
    )


@pytest.mark.parametrize("value", ["NaN", "Infinity", {"NaN": "-Infinity"}, [Decimal(1), "NaN"]])
def test_writes_the_words_of_numbers_that_are_not_finite(value: Any) -> None:
    assert json.loads(json.dumps(value)) == value


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity", "NaN123"])
def test_writes_no_number_that_is_not_finite(text: str) -> None:
    with pytest.raises(ValueError, match="not finite"):
        json.dumps({"a": ["NaN", Decimal(text)]})
    with pytest.raises(ValueError, match="not finite"):
        json.dumps(Decimal(text))


def test_writes_no_lone_surrogate_and_no_unknown_type() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        json.dumps("\ud800")
    with pytest.raises(TypeError):
        json.dumps(object())


@pytest.mark.parametrize(
    ("parts", "pointer"),
    [
        ([], ""),
        (["foo", 0], "/foo/0"),
        ([""], "/"),
        (["a/b"], "/a~1b"),
        (["m~n"], "/m~0n"),
        (["~1"], "/~01"),
        ([" "], "/ "),
    ],
)
def test_builds_pointers_as_rfc_6901_shows(parts: list[str | int], pointer: str) -> None:
    assert json.pointer(parts) == pointer
