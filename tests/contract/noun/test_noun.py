"""The contract of every noun (CONTRACT §4): one suite over the catalogue, from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import jsonschema_rs
import pytest

from crosstie.access.role import BUILT_IN
from crosstie.catalog import catalogue
from crosstie.declare import kind as kinds
from crosstie.declare.field import described
from crosstie.declare.machine import Machine
from crosstie.declare.resource import Resource
from crosstie.declare.row import Row
from tests.contract.noun.samples import ELSEWHERE, SAMPLES, World
from tests.fence import fence
from tests.stage import Stage

NOUNS = catalogue().resources
#: what a new tenant has: the key of the test, the built-in roles
BEGINS_WITH = {"alert-rules": 5, "api-keys": 1, "roles": len(BUILT_IN)}
MADE = [noun for noun in NOUNS.values() if noun.name in SAMPLES]
CHANGED = [noun for noun in MADE if "update" in noun.verbs]
DELETED = [noun for noun in MADE if "delete" in noun.verbs]
MOVED = [noun for noun in MADE if noun.machine]
MANY = [noun for noun in MADE if "bulk" in noun.verbs and noun.upload is None]


def each(nouns: list[Resource]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("noun", nouns, ids=[noun.name for noun in nouns])


@pytest.fixture
async def world(client: httpx2.AsyncClient) -> World:
    return World(client)


@pytest.fixture
async def stranger(stage: Stage) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of another tenant."""
    async with (await stage.tenant()).client() as found:
        yield found


async def made(world: World, noun: Resource) -> tuple[dict[str, Any], str, str]:
    """A new record: its document, its path, its ETag."""
    response = await world.make(noun.name)
    assert response.status_code == 201, response.text
    found = response.json()
    for field in noun.shown_once:
        found.pop(field.name)
    return found, f"{noun.path}/{found['id']}", response.headers["etag"]


async def told(world: World, noun: Resource, id: str) -> list[dict[str, Any]]:
    """The events about a record, oldest first."""
    await fence(world.client)
    asked = {"subject_type": noun.singular, "subject_id": id, "sort": "created_at", "limit": "200"}
    page = await world.client.get("/api/v1/events", params=asked)
    assert page.status_code == 200, page.text
    return list(page.json()["data"])


def without(document: dict[str, Any], noun: Resource) -> dict[str, Any]:
    """A document without what is made for each answer anew."""
    fresh = {field.name for field in noun.extra_fields}
    return {name: value for name, value in document.items() if name not in fresh}


def test_every_noun_has_a_sample() -> None:
    missing = {noun.name for noun in NOUNS.values() if "create" in noun.verbs} - SAMPLES.keys() - ELSEWHERE.keys()
    assert not missing, f"declare a sample in tests/contract/noun/samples.py for {missing}"


@each(MADE)
async def test_what_is_made_can_be_read_and_is_heard_of_once(world: World, noun: Resource) -> None:
    response = await world.make(noun.name)
    document = response.json()
    for field in noun.shown_once:
        document.pop(field.name)

    read = await world.client.get(response.headers["location"])

    assert response.headers["location"] == f"{noun.path}/{document['id']}"
    assert without(read.json(), noun) == without(document, noun)
    if not noun.extra:
        assert read.headers["etag"] == response.headers["etag"]
        unchanged = await world.client.get(
            f"{noun.path}/{document['id']}", headers={"if-none-match": read.headers["etag"]}
        )
        assert unchanged.status_code == 304
    listed = (await world.client.get(noun.path)).json()
    assert document["id"] in [row["id"] for row in listed["data"]]
    events = await told(world, noun, document["id"])
    assert [event["event_type"] for event in events] == [noun.event("created")]
    data = without(events[0]["data"], noun)
    assert data.pop(f"{noun.singular}_id") == document["id"]
    assert data == {name: value for name, value in without(document, noun).items() if name != "id"}


@each(MANY)
async def test_many_are_made_at_once_and_answered_as_documented(world: World, noun: Resource) -> None:
    items = [await SAMPLES[noun.name].body(world), {"no_such": 1}]

    answer = await world.client.post(f"{noun.path}/bulk", json={"items": items})

    assert answer.status_code == 200, answer.text
    assert [result["status"] for result in answer.json()["results"]] == [201, 422]
    document = (await world.client.get("/openapi.json")).json()
    media = document["paths"][f"{noun.path}/bulk"]["post"]["responses"]["200"]["content"]["application/json"]
    jsonschema_rs.validator_for(media["schema"] | {"components": document["components"]}).validate(answer.json())
    for field in noun.shown_once:
        assert answer.json()["results"][0]["data"][field.name]


@each(MADE)
async def test_a_creation_says_everything_that_is_wrong_with_it(world: World, noun: Resource) -> None:
    if noun.upload:
        refused = await world.client.post(noun.path, data={"no_such": "1"}, files={"x": ("x", b"x")})
        required = {"/file"}
    else:
        refused = await world.client.post(noun.path, json={"no_such": 1, "id": str(uuid4()), "tenant_id": str(uuid4())})
        required = {"/id", "/tenant_id"}

    assert refused.status_code == 422, refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    pointers = {fault["pointer"] for fault in refused.json()["errors"]}
    assert required | {"/no_such"} <= pointers
    assert {f"/{name}" for name in noun.creation.required} <= pointers
    state = noun.machine.column.key if noun.machine else "created_at"
    if not noun.upload:
        body = await SAMPLES[noun.name].body(world)
        for name, value in {state: "x", "revision": 5}.items():
            assert (await world.client.post(noun.path, json=body | {name: value})).status_code == 422
        for name in noun.creation.required:
            number = isinstance(noun.creation.fields[name].kind, kinds.Number)
            for value in (None, {"a": [1]}, "one" if number else 1.5):
                bad = await world.client.post(noun.path, json=body | {name: value})
                assert bad.status_code == 422, (name, value, bad.text)
                assert bad.json()["errors"][0]["pointer"].startswith(f"/{name}")


@each(CHANGED)
async def test_a_change_is_written_and_heard_of_once(world: World, noun: Resource) -> None:
    document, path, tag = await made(world, noun)
    change = dict(SAMPLES[noun.name].change)
    read = (await world.client.get(path)).headers["etag"]

    changed = await world.client.patch(path, json=change, headers={"if-match": read})

    assert changed.status_code == 200, changed.text
    assert {name: changed.json()[name] for name in change} == change
    assert without((await world.client.get(path)).json(), noun) == without(changed.json(), noun)
    for old in (tag, read):
        stale = await world.client.patch(path, json=change, headers={"if-match": old})
        assert stale.status_code == 412
    again = await world.client.patch(path, json=change, headers={"if-match": changed.headers["etag"]})
    assert (again.status_code, again.headers["etag"]) == (200, changed.headers["etag"])
    assert (await world.client.patch(path, json={"no_such": 1})).status_code == 422
    assert (await world.client.patch(path, json={"id": str(uuid4())})).status_code == 422
    assert (await world.client.patch(f"{noun.path}/{uuid4()}", json=change)).status_code == 404
    types = [event["event_type"] for event in await told(world, noun, document["id"])]
    assert types == [noun.event("created"), noun.event("updated")]
    assert (await world.client.get(path)).headers["etag"] != read


@each(DELETED)
async def test_what_is_deleted_is_gone_and_heard_of_once(world: World, noun: Resource) -> None:
    document, path, tag = await made(world, noun)
    wrong = await world.client.delete(path, headers={"if-match": '"another"'})
    assert wrong.status_code == 412

    deleted = await world.client.delete(path, headers={"if-match": tag})

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await world.client.get(path)).status_code == 404
    assert (await world.client.delete(path)).status_code == 404
    assert (await told(world, noun, document["id"]))[-1]["event_type"] == noun.event("deleted")


@each(MADE)
async def test_lists_are_filtered_sorted_and_paged(world: World, noun: Resource) -> None:
    rows = [(await made(world, noun))[0] for _ in range(3)]
    for attribute in noun.filter:
        value = rows[0][attribute.key]
        if value is None or isinstance(described(attribute).kind, kinds.Money):
            continue
        text = str(value).lower() if isinstance(value, bool) else str(value)
        page = await world.client.get(noun.path, params={attribute.key: text})
        assert page.status_code == 200, page.text
        found = page.json()["data"]
        assert rows[0]["id"] in [row["id"] for row in found]
        assert {row[attribute.key] for row in found} == {value}
        wrong = await world.client.get(noun.path, params={f"{attribute.key}[like]": text})
        assert wrong.status_code == 400
    for column in {a.key for a in noun.sort} | {"created_at"}:
        for sign in ("", "-"):
            await _walk(world, noun, sign + column)
    for bad in ("no_such=1", "limit=0", "limit=201", "sort=no_such", "cursor=x", "fields=no_such", "expand=no_such"):
        refused = await world.client.get(f"{noun.path}?{bad}")
        assert refused.status_code == 400, bad
        assert refused.headers["content-type"] == "application/problem+json"
    narrow = (await world.client.get(noun.path, params={"fields": "id"})).json()["data"]
    assert all(row.keys() == {"id"} for row in narrow)


async def _walk(world: World, noun: Resource, sort: str) -> None:
    """One record per page gives the same as all on one page."""
    whole = (await world.client.get(noun.path, params={"sort": sort, "limit": "200"})).json()["data"]
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await world.client.get(noun.path, params={"sort": sort, "limit": "1", **cursor})).json()
        ids += [row["id"] for row in page["data"]]
        if not page["has_more"]:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert ids == [row["id"] for row in whole]
    keys = [row[sort.removeprefix("-")] for row in whole]
    if all(isinstance(key, str) for key in keys):
        assert keys == sorted(keys, reverse=sort.startswith("-"))


@each(MADE)
async def test_another_tenant_sees_and_reaches_nothing(
    world: World, noun: Resource, stranger: httpx2.AsyncClient
) -> None:
    document, path, _ = await made(world, noun)
    missing = f"{noun.path}/{uuid4()}"
    tries: list[tuple[str, str, Any]] = [("GET", "", None)]
    if "update" in noun.verbs:
        tries.append(("PATCH", "", dict(SAMPLES[noun.name].change)))
    if "delete" in noun.verbs:
        tries.append(("DELETE", "", None))
    moves = [move.verb for move in noun.machine.moves if not move.inner] if noun.machine else []
    tries += [("POST", f"/{verb}", SAMPLES[noun.name].given.get(verb, {})) for verb in moves]
    actions = [action for action in noun.actions if not action.collection]
    tries += [(a.method, f"/{a.verb}", None) for a in actions if not any(f.required for f in a.given)]
    tries += [("GET", f"/{listing.verb}", None) for listing in noun.lists]

    for method, tail, body in tries:
        theirs = await stranger.request(method, path + tail, json=body)
        nobodys = await stranger.request(method, missing + tail, json=body)
        assert theirs.status_code == nobodys.status_code == 404, (method, tail, theirs.text)
        assert _plain(theirs) == _plain(nobodys)

    listed = {each["id"] for each in (await stranger.get(noun.path)).json()["data"]}
    assert len(listed) == BEGINS_WITH.get(noun.name, 0)
    assert document["id"] not in listed
    assert without((await world.client.get(path)).json(), noun) == without(document, noun)
    await _refer(world, noun, stranger)


async def _refer(world: World, noun: Resource, stranger: httpx2.AsyncClient) -> None:
    """A reference to another tenant's record leads nowhere."""
    body = await SAMPLES[noun.name].body(world)
    for name, declared in noun.creation.fields.items():
        if name in body and isinstance(declared.kind, kinds.Id) and declared.kind.of:
            if noun.upload:
                refused = await stranger.post(noun.path, data=body, files={"file": ("a", SAMPLES[noun.name].file())})  # type: ignore[misc]
            else:
                refused = await stranger.post(noun.path, json=body)
            assert refused.status_code == 422, refused.text
            assert refused.json()["errors"]
            return


def _plain(response: httpx2.Response) -> dict[str, Any]:
    return {name: value for name, value in response.json().items() if name != "request_id"}


def paths(machine: Machine) -> dict[str, list[str]]:
    """The shortest way of public moves to each state that has one."""
    found: dict[str, list[str]] = {machine.states[0]: []}
    queue = [machine.states[0]]
    while queue:
        state = queue.pop(0)
        for move in machine.moves:
            if state in move.sources and move.target not in found and not move.inner:
                found[move.target] = [*found[state], move.verb]
                queue.append(move.target)
    return found


async def go(world: World, noun: Resource, path: str, verb: str) -> httpx2.Response:
    return await world.client.post(f"{path}/{verb}", json=SAMPLES[noun.name].given.get(verb, {}))


@each(MOVED)
async def test_a_move_is_legal_from_its_states_alone_and_heard_of_once(world: World, noun: Resource) -> None:
    assert noun.machine is not None
    column = noun.machine.column.key
    moves = [move for move in noun.machine.moves if not move.inner]
    for state, way in paths(noun.machine).items():
        document, path, _ = await made(world, noun)
        for verb in way:
            assert (await go(world, noun, path, verb)).status_code == 200
        before = await told(world, noun, document["id"])
        for move in moves:
            if state not in move.sources:
                refused = await go(world, noun, path, move.verb)
                assert (refused.status_code, refused.json()["code"]) == (409, "move_refused"), (state, move.verb)
        assert (await world.client.get(path)).json()[column] == state
        assert await told(world, noun, document["id"]) == before
        await _legal(world, noun, state, way)


async def _legal(world: World, noun: Resource, state: str, way: list[str]) -> None:
    assert noun.machine is not None
    for move in noun.machine.moves:
        if move.inner or state not in move.sources:
            continue
        document, path, tag = await made(world, noun)
        for verb in way:
            tag = (await go(world, noun, path, verb)).headers["etag"]
        body = SAMPLES[noun.name].given.get(move.verb, {})
        stale = await world.client.post(f"{path}/{move.verb}", headers={"if-match": '"another"'}, json=body)
        assert stale.status_code == 412
        moved = await world.client.post(f"{path}/{move.verb}", headers={"if-match": tag}, json=body)
        assert moved.status_code == 200, (state, move.verb, moved.text)
        assert moved.json()[noun.machine.column.key] == move.target
        events = await told(world, noun, document["id"])
        assert [e["event_type"] for e in events].count(move.event) == (1 + way.count(move.verb))
        assert (events[-1]["event_type"], events[-1]["data"]["previous_status"]) == (move.event, state)
        assert [e["sequence"] for e in events] == list(range(1, len(events) + 1))


def test_every_table_belongs_to_the_catalogue() -> None:
    # one that does not has neither rights nor policies
    assert Row.metadata.tables.keys() == {table.name for table in catalogue().tables}
