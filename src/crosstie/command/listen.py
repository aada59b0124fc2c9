"""`crosstie listen`: a tenant's events, forwarded to a local address as signed webhooks, without any endpoint."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import httpx2
import msgspec
import typer
from rich.console import Console

from crosstie import settings as configuration
from crosstie.command import feed, http, kept, live, out
from crosstie.command.out import Form, Output
from crosstie.kit import json, webhook

FILE = "listen.json"
SECONDS = 15

app = out.command()


class Kept(msgspec.Struct, frozen=True):
    """What stays the same between runs."""

    secret: str


@app.command("listen")
def listen(
    forward_to: Annotated[str | None, typer.Option("--forward-to", help="Address that gets the webhooks.")] = None,
    types: Annotated[list[str] | None, typer.Option("--events", help="Only such types; `job.*` is a pattern.")] = None,
    after: Annotated[str | None, typer.Option(help="A cursor to go on from; else what comes from now on.")] = None,
    print_secret: Annotated[bool, typer.Option("--print-secret", help="Print the signing secret and end.")] = False,
    skip_verify: Annotated[bool, typer.Option("--skip-verify", help="Take any certificate of that address.")] = False,
    headers: Annotated[list[str] | None, typer.Option("--header", help="`Name: value` to send along.")] = None,
    output: Output = None,
) -> None:
    """Forward events as signed webhooks to a local address, until Ctrl-C. The secret stays the same between runs.

    crosstie listen --forward-to http://localhost:3000/hooks

    crosstie listen --forward-to http://localhost:3000/hooks --events 'job.*' --events 'quote.*'
    """
    secret = _secret(configuration.load(os.environ, Path.cwd()).home)
    if print_secret:
        out.one({"secret": secret}, output)
        return
    if forward_to is None:
        raise typer.BadParameter("say where to: --forward-to http://localhost:3000/hooks")
    api = http.connected()
    out.note(f"Forwarding to {forward_to}; the signing secret is {secret}")
    console = Console(highlight=False, soft_wrap=True)
    signers = [webhook.signer(secret)]
    given = dict(_header(header) for header in headers or ())
    with httpx2.Client(timeout=SECONDS, verify=not skip_verify, trust_env=False) as client:
        for cursor, event in live.read(live.Reader(api.way, types or (), after)):
            body = json.dumps(event)
            signed = webhook.headers(signers, event["event_id"], body)
            answer = _send(client, forward_to, body, {**given, **signed, "content-type": "application/json"})
            if out.chosen(output) is Form.TABLE:
                colour = "green" if answer[:1] == "2" else "red"
                console.print(feed.line("webhook", event["timestamp"], event["event_type"], answer, colour))
            else:
                out.one(
                    {"cursor": cursor, "event_id": event["event_id"], "type": event["event_type"], "answer": answer},
                    output,
                )


def _send(client: httpx2.Client, url: str, body: bytes, headers: dict[str, str]) -> str:
    """The status of the answer, or why there was none."""
    try:
        return str(client.post(url, content=body, headers=headers).status_code)
    except httpx2.HTTPError as error:
        return f"failed: {type(error).__name__}"


def _header(given: str) -> tuple[str, str]:
    name, colon, value = given.partition(":")
    if not colon:
        raise typer.BadParameter(f"{given} is no header: write `Name: value`")
    return name.strip(), value.strip()


def _secret(home: Path) -> str:
    path = home / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept).secret
    except (OSError, msgspec.DecodeError):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = Kept(webhook.generate())
        kept.private(path, msgspec.json.encode(made))
        return made.secret
