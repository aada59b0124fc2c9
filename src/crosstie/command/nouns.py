"""Commands that follow from the API's description: one group per noun, one command per operation.

The description is that of the server which is called; without one it is that of this version.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer

from crosstie import settings as configuration
from crosstie.command import http, out
from crosstie.command.failing import INVALID, USAGE, Failure
from crosstie.command.out import Form
from crosstie.kit import json

ALIASES = {"endpoints": "webhook-endpoints"}
VERBS = {"retrieve": "get"}
OWN = {"limit", "cursor"}
#: what `limit` says where nobody does
USUAL = 50
Document = Mapping[str, Any]


def group(name: str) -> typer.Typer:
    """The commands of a noun. Raises Failure where there is no such noun."""
    spec = description()
    noun = ALIASES.get(name, name)
    app = out.group(f"{noun.replace('-', ' ').capitalize()}, over the API.")
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            tag, _, verb = operation["operationId"].partition(".")
            if tag in (noun, noun.replace("-", "_")) and not _lasts(operation):
                _add(app, VERBS.get(verb, verb.replace("_", "-")), method.upper(), path, operation)
    if not app.registered_commands:
        raise _unknown(name, spec)
    return app


def _lasts(operation: Document) -> bool:
    """Whether its answer has no end: such a stream has a command of its own."""
    return "text/event-stream" in operation["responses"].get("200", {}).get("content", {})


def description() -> dict[str, Any]:
    """The OpenAPI document of the server, or of this version."""
    settings = configuration.load(os.environ, Path.cwd())
    try:
        with http.client(http.way(settings, None, os.environ.get("CROSSTIE_BASE_URL"))) as client:
            answer = client.get("/openapi.json", timeout=5)
        if answer.status_code == 200:
            return dict(json.loads(answer.content))
    except httpx2.HTTPError:
        pass
    # the declarations take a second to load, which only a call without a server has to wait
    return dict(import_module("crosstie.command.spec").openapi())


def names(spec: Document) -> list[str]:
    """The nouns that have commands."""
    found = {
        operation["operationId"].partition(".")[0]
        for methods in spec["paths"].values()
        for operation in methods.values()
    }
    return sorted(name.replace("_", "-") for name in found)


def _unknown(name: str, spec: Document) -> Failure:
    near = get_close_matches(name, names(spec), n=1)
    hint = (
        f"did you mean {near[0]}?"
        if near
        else "`crosstie nouns` lists the nouns of the API, `crosstie --help` the rest"
    )
    return Failure(f"There is no command and no noun {name}.", USAGE, hint)


def _add(app: typer.Typer, verb: str, method: str, path: str, operation: Document) -> None:
    parameters = operation.get("parameters", ())
    places: dict[str, Document] = {}
    signature = []
    for parameter in sorted(parameters, key=lambda each: each["in"] != "path"):
        if parameter["name"] in OWN:
            continue
        word = parameter["name"].lower().replace("-", "_").replace("[", "_").rstrip("]")
        places[word] = parameter
        signature.append(_parameter(word, parameter))
    listing = method == "GET" and any(parameter["name"] == "cursor" for parameter in parameters)
    extra: dict[str, Any] = {}
    if listing:
        extra["limit"] = (Annotated[int, typer.Option(min=0, help="At most so many; 0 is all.")], USUAL)
    if "requestBody" in operation:
        extra["data"] = (Annotated[str | None, typer.Option("--data", "-d", help="JSON, @file, or - for input.")], None)
        extra["wait"] = (Annotated[bool, typer.Option("--wait", help="Follow a long operation to its end.")], False)
    if method == "DELETE":
        extra["yes"] = (Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")], False)
    extra["output"] = (out.Output, None)
    signature += [_keyword(name, kind, default) for name, (kind, default) in extra.items()]

    def run(**given: Any) -> None:
        _run(method, path, places, given, listing=listing, required=_required(operation))

    run.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]  # what Typer reads
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in signature}
    app.command(verb, help=f"{operation['summary']}\n\ncrosstie {_example(verb, path, operation)}")(run)


def _parameter(word: str, parameter: Document) -> inspect.Parameter:
    if parameter["in"] == "path":
        return _keyword(word, Annotated[str, typer.Argument(help=parameter["description"])], inspect.Parameter.empty)
    name = f"--{word.replace('_', '-')}"
    return _keyword(word, Annotated[str | None, typer.Option(name, help=parameter["description"])], None)


def _keyword(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)


def _required(operation: Document) -> bool:
    return bool(operation.get("requestBody", {}).get("required"))


def _example(verb: str, path: str, operation: Document) -> str:
    noun = operation["operationId"].partition(".")[0]
    words = [noun, verb, *(["ID"] if "{" in path else []), *(["--data @file.json"] if _required(operation) else [])]
    return " ".join(words)


def _run(
    method: str, path: str, places: Mapping[str, Document], given: dict[str, Any], *, listing: bool, required: bool
) -> None:
    found: dict[str, dict[str, str]] = {"path": {}, "query": {}, "header": {}}
    for word, parameter in places.items():
        if given[word] is not None:
            found[parameter["in"]][parameter["name"]] = given[word]
    where = path.format_map(found["path"])
    form: Form | None = given["output"]
    api = http.connected()
    if listing:
        out.many(api.pages(where, found["query"], given["limit"] or None), form)
        return
    if method == "DELETE" and not given["yes"]:
        confirm(f"Delete {where}?")
    options: dict[str, Any] = {"params": found["query"], "headers": found["header"]}
    if "data" in given:
        options["json"] = document(given["data"], required=required)
    _show(api, api.ask(method, where, **options), form, wait=given.get("wait", False))


def _show(api: http.Api, answer: httpx2.Response, form: Form | None, *, wait: bool) -> None:
    if answer.headers.get("content-type", "").startswith("text/html"):
        sys.stdout.write(answer.text)  # a page, to be kept in a file
        return
    shown = json.loads(answer.content) if answer.content else None
    if shown and wait and answer.status_code == 202 and "/operations/" in answer.headers.get("location", ""):
        shown = followed(api, shown)
    if isinstance(shown, Mapping) and isinstance(shown.get("data"), list):
        out.many(shown["data"], form)
    elif shown is not None:
        out.one(shown, form)


def followed(api: http.Api, operation: Document) -> dict[str, Any]:
    """A long operation at its end, with a bar on the way."""
    with out.progress("Operation") as bar:
        task = bar.add_task("", total=operation.get("count"))
        return api.finished(
            operation, lambda now: bar.update(task, total=now.get("count"), completed=now["progress"] or 0)
        )


def document(data: str | None, *, required: bool) -> Any:
    """The JSON that was handed in: itself, @file, or - for standard input. Raises Failure."""
    if data is None:
        if required:
            raise Failure(
                "This needs a JSON document.", USAGE, "--data '{…}', --data @file.json, or --data - for input"
            )
        return {}
    try:
        text = (
            sys.stdin.buffer.read()
            if data == "-"
            else Path(data[1:]).read_bytes()
            if data[:1] == "@"
            else data.encode()
        )
        return json.loads(text)
    except OSError as error:
        raise Failure(f"{data[1:]} cannot be read: {error.strerror}.", USAGE) from error
    except ValueError as error:
        raise Failure(f"The document is not JSON: {error}.", INVALID) from error


def confirm(question: str) -> None:
    """Ask on a terminal; refuse where nobody can answer."""
    if not sys.stdin.isatty():
        raise Failure(f"{question} Nobody is here to answer.", USAGE, "say --yes")
    typer.confirm(question, abort=True, err=True)


def listed(output: out.Output = None) -> None:
    """List the nouns of the API: each is a command.

    crosstie nouns

    crosstie jobs list --status in_progress
    """
    out.many([{"noun": name} for name in names(description())], output)


nouns = out.command()
nouns.command("nouns")(listed)
Loader = Callable[[str], typer.Typer]
