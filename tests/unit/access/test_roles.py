"""The table of roles covers every noun, and gives nobody more than it says."""

from __future__ import annotations

from crosstie.access.role import BUILT_IN, PRIVILEGED, SCOPES, TABLE, scopes_of
from crosstie.catalog import catalogue


def test_every_noun_has_a_line() -> None:
    nouns = {*catalogue().resources, *catalogue().services, "events"}
    missing = sorted(nouns - TABLE.keys())
    assert not missing, f"say in access/role.py who reads and writes {', '.join(missing)}"
    assert not TABLE.keys() - nouns


def test_the_table_names_roles_and_writers_who_read() -> None:
    for noun, (readers, writers) in TABLE.items():
        assert set(readers.split()) | set(writers.split()) <= BUILT_IN.keys() - {"admin"}, noun
        assert set(writers.split()) <= set(readers.split()), noun


def test_outsiders_open_no_list() -> None:
    for role in ("client", "estate_manager", "supplier", "insurer"):
        assert scopes_of([role]) == frozenset()


def test_scopes_add_up() -> None:
    assert scopes_of(["admin"]) == {"*"}
    assert "jobs:write" in scopes_of(["viewer", "technician"])
    assert scopes_of(["ours"], {"ours": ["jobs:read"]}) == {"jobs:read"}
    assert scopes_of(["unknown"]) == frozenset()
    # a tenant cannot widen a built-in role by a role of the same name
    assert scopes_of(["viewer"], {"viewer": ["*"]}) == SCOPES["viewer"]


def test_who_can_give_rights_is_privileged() -> None:
    assert {role for role, scopes in SCOPES.items() if scopes & PRIVILEGED} == {"admin", "developer", "owner"}
