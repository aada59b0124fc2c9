"""What every counterpart keeps of its contract: examples, answers, keys, credentials, refusals."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import httpx2
import jsonschema_rs
import pytest

from crosstie.contracts.services import EVENTS, SERVICES, Operation
from tests.parts.outside import KEY, Outside

OPERATIONS = [(service.name, each) for service in SERVICES.values() for each in service.operations]
MUTATIONS = [(name, each) for name, each in OPERATIONS if each.mutates]
#: reads that find what an earlier call made, with the value that its answer gives them
BEFORE = {
    "treasury.find_invoice": ("create_invoice", None),
    "inventory.find_reservation": ("create_reservation", None),
    "logistics.get_tracking": ("create_shipment", "id"),
}
every = pytest.mark.parametrize(("service", "operation"), OPERATIONS, ids=lambda each: getattr(each, "name", each))
mutating = pytest.mark.parametrize(("service", "operation"), MUTATIONS, ids=lambda each: getattr(each, "name", each))


def call(
    caller: httpx2.Client, service: str, operation: Operation, given: dict[str, Any], key: str | None = None
) -> httpx2.Response:
    """A call as the contract has it."""
    path = SERVICES[service].path(operation)
    for name in operation.placeholders:
        path = path.replace(f"{{{name}}}", quote(str(given[name]), safe=""))
    query = {ask.name: given[ask.name] for ask in operation.queries if ask.name in given}
    body = {name: given[name] for name in operation.fields if name in given} if operation.request else None
    headers = {} if key is None else {"idempotency-key": key}
    return caller.request(operation.method, path, params=query, json=body, headers=headers)


def prepared(caller: httpx2.Client, service: str, operation: Operation) -> dict[str, Any]:
    """The example of an operation, after what it needs to find something."""
    given = dict(operation.example)
    if (before := BEFORE.get(f"{service}.{operation.name}")) is not None:
        earlier = SERVICES[service].operation(before[0])
        made = call(caller, service, earlier, earlier.example)
        assert made.status_code == 201, made.text
        if before[1]:
            given[before[1]] = made.json()["id"]
    return given


@every
def test_the_example_is_accepted_and_the_answer_fits(caller: httpx2.Client, service: str, operation: Operation) -> None:
    answer = call(caller, service, operation, prepared(caller, service, operation))
    assert answer.status_code == operation.status, answer.text
    jsonschema_rs.validator_for(operation.answer.schema, validate_formats=True).validate(answer.json())


@mutating
def test_one_key_is_one_effect(outside: Outside, caller: httpx2.Client, service: str, operation: Operation) -> None:
    given = operation.example
    first, again = (call(caller, service, operation, given, "k-1") for _ in range(2))
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert outside.effects(f"{service}.{operation.name}") == 1
    other = {name: value for name, value in given.items() if name != list(operation.fields)[-1]}
    assert call(caller, service, operation, other, "k-1").json()["code"] == "idempotency_key_reused"
    assert [each["key"] for each in outside.listed("requests")] == ["k-1"] * 3


@every
def test_a_call_without_a_credential_is_refused(outside: Outside, service: str, operation: Operation) -> None:
    with httpx2.Client(base_url=outside.url, verify=False) as stranger:
        answer = call(stranger, service, operation, operation.example)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert "Bearer" in answer.headers["www-authenticate"]
    assert outside.listed("effects") == []


def test_every_credential_of_a_provider_is_taken(outside: Outside) -> None:
    form = {"grant_type": "client_credentials"}
    with httpx2.Client(base_url=outside.url, verify=False) as client:
        token = client.post("/oauth/token", data=form, auth=("crosstie", KEY)).json()
        assert (token["token_type"], token["expires_in"]) == ("Bearer", 300)
        assert client.post("/oauth/token", data=form, auth=("crosstie", "wrong")).status_code == 401
        assert client.post("/oauth/token", data={"grant_type": "password"}).status_code == 400
        basic = base64.b64encode(f"anybody:{KEY}".encode()).decode()
        for headers, status in (
            ({"x-api-key": KEY}, 200), ({"authorization": f"Bearer {KEY}"}, 200),
            ({"authorization": f"Bearer {token['access_token']}"}, 200), ({"authorization": f"Basic {basic}"}, 200),
            ({"authorization": "Bearer nothing"}, 401), ({"authorization": "Basic !"}, 401), ({"x-api-key": ""}, 401),
        ):  # fmt: skip
            assert client.get("/api/v1/treasury/accounts", headers=headers).status_code == status, headers


@mutating
def test_what_breaks_the_contract_is_refused_with_a_pointer(
    outside: Outside, caller: httpx2.Client, service: str, operation: Operation
) -> None:
    path = SERVICES[service].path(operation)
    for name in operation.placeholders:
        path = path.replace(f"{{{name}}}", operation.example[name])
    body = {name: operation.example[name] for name in operation.fields}
    strange = caller.request(operation.method, path, json=body | {"strange": 1})
    assert (strange.status_code, strange.headers["content-type"]) == (422, "application/problem+json")
    assert strange.json()["errors"]
    missing = {key: value for key, value in body.items() if key != operation.request.schema["required"][0]}  # type: ignore[union-attr]
    assert caller.request(operation.method, path, json=missing).status_code == 422
    headers = {"content-type": "application/json"}
    assert caller.request(operation.method, path, content=b'{"a": NaN}', headers=headers).status_code == 400
    assert caller.request(operation.method, path, content=b"a=1").status_code == 415
    assert outside.listed("effects") == []


@every
def test_what_it_tells_fits_the_catalogue(
    outside: Outside, caller: httpx2.Client, service: str, operation: Operation
) -> None:
    outside.fault(f"{service}.{operation.name}", "refuse")
    for _ in range(2):
        call(caller, service, operation, operation.example)
    for event in outside.listed("events"):
        declared = EVENTS[event["type"]]
        jsonschema_rs.validator_for(declared.data_schema).validate(json.loads(event["data"]))
