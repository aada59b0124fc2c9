"""Reference pages that follow from the code: settings, limits, events, nouns. Pure; committed, and held to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from crosstie.access import jwks, jwt, link, rotation, ticket, token, vault
from crosstie.api import body, bulk, events, filters
from crosstie.api.live import order, wire
from crosstie.declare.catalogue import Catalogue
from crosstie.declare.resource import Resource
from crosstie.deliver import sender, webhook
from crosstie.deliver.inbound import directory, door, keep, later
from crosstie.kit import http, json, resolver
from crosstie.log import delivery, operation, replay, retention, timed, worker
from crosstie.modules.field import offer, photo
from crosstie.services import caller, sink
from crosstie.services.remote import Pace
from crosstie.settings.values import Settings, about
from crosstie.watch import family, measure, presence, pulse, watcher

HEAD = "<!-- This page follows from the code; `make spec` writes it. -->\n"


def pages(catalogue: Catalogue) -> dict[str, str]:
    """Every page by its path below `docs/reference/`."""
    return {
        "settings.md": settings(),
        "limits.md": limits(catalogue),
        "events.md": event_types(catalogue),
        "nouns.md": nouns(catalogue),
        "metrics.md": metrics(),
    }


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def settings() -> str:
    """Every setting: name, meaning, default."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(Settings)}
    rows = []
    for name, meaning in about().items():
        default = defaults[name]
        shown = "" if default in ("", None, ()) else str(default).removeprefix("(").removesuffix(")")
        unit = f" ({meaning.unit})" if meaning.unit else ""
        secret = " Masked where it is shown." if meaning.secret else ""
        rows.append((f"`CROSSTIE_{name.upper()}`", f"{meaning.doc}{unit}.{secret}", f"`{shown}`" if shown else ""))
    return (
        f"{HEAD}# Settings\n\n"
        "A setting comes from the environment, else from `crosstie.toml` in the working directory (there in small"
        " letters, without the prefix), else it has its default. `crosstie config show --origin` says which."
        " What is masked where it is shown may also lie in a file of its own, mode 0600, whose path is given with"
        " `_FILE` at the setting's name: so container platforms mount secrets.\n\n"
        + _table(("setting", "meaning", "default"), rows)
    )


def limits(catalogue: Catalogue) -> str:
    """Every limit that a caller or a receiver can meet."""
    bounded = [resource for resource in catalogue.resources.values() if resource.most is not None]
    rows = [
        ("Body of a request", f"{body.LIMIT >> 20} MiB", "413 `too_large`"),
        ("Body of `/bulk` and `/events/batch`", f"{body.BULK_LIMIT >> 20} MiB", "413 `too_large`"),
        ("An uploaded file", f"{Settings().upload_limit >> 20} MiB (setting)", "413 `too_large`"),
        ("Pixels of a photo", f"{photo.PIXELS // 10**6} million", "422 `invalid`"),
        ("Silence inside an upload", f"{body.SECONDS:.0f} s", "408 `request_timeout`"),
        ("The address of a file works for", f"{link.FILE.seconds // 60} min", "403 `link_expired`"),
        ("A client's link to a quote works for", f"{offer.LINK_DAYS} days unless asked", "403 `link_expired`"),
        ("A move that time takes comes within", f"{timed.Timed.EVERY:.0f} s", "the earlier state"),
        ("Time for a body to arrive", f"{body.SECONDS:.0f} s", "408 `request_timeout`"),
        ("Nesting of JSON", f"{json.DEPTH} levels", "422 `invalid`"),
        ("Names in one JSON object", f"{json.NAMES}", "422 `invalid`"),
        ("Digits of a number", f"{json.DIGITS}", "422 `invalid`"),
        ("Records of a page", f"{filters.MOST} ({filters.LIMIT} unless asked)", "400 `unknown_parameter`"),
        ("Values of one filter", f"{filters.ANY}", "400 `unknown_parameter`"),
        ("Items of a bulk request", f"{bulk.MOST}", "422 `invalid`"),
        ("Events of a batch", f"{events.MOST}", "422 `invalid`"),
        *((f"Records of `{noun.name}` of one tenant", f"{noun.most}", "409 `conflict`") for noun in bounded),
        ("Idempotency-Key", "255 characters, kept 72 h", "400 `bad_request`"),
        *_live(),
        *_quotas(),
        ("A token of a trusted issuer", f"{jwt.MOST >> 10} KiB", "401 `unauthorized`"),
        ("A look at an issuer's keys because one is unknown", f"every {jwks.REST:.0f} s", "401 `unauthorized`"),
        ("An issuer's keys are used while it is away", f"{jwks.STALE / 3600:.0f} h", "503 `unavailable`"),
        ("A revocation takes effect within", f"{token.TTL:.0f} s", "401 `unauthorized`"),
        ("A data key seals for", f"{rotation.AGE.days} days, or 2³¹ values", "a new one takes over"),
        ("A new data key is in use everywhere within", f"{vault.FRESH:.0f} s", "older ones still open"),
        ("An older data key is dropped", f"{rotation.KEPT.days} day after nothing is under it", "kept"),
        ("Time of a webhook attempt", "15 s (1 to 30 per endpoint)", "attempt fails: `timeout`"),
        ("Time to connect to a receiver", f"{sender.CONNECT:.0f} s", "attempt fails: `connect`"),
        ("Time of a DNS look-up", f"{resolver.LIMIT:.0f} s", "attempt fails: `dns`"),
        ("Body of a receiver's answer that is read", f"{sender.READ >> 10} KiB", "the rest is not read"),
        ("Body of an answer or request that is shown", f"{delivery.SHOWN >> 10} KiB", "cut"),
        ("Retry-After that is obeyed", f"{webhook.MOST_WAIT / 3600:.0f} h at most", "capped"),
        ("An endpoint that only fails is disabled after", f"{webhook.PATIENCE.days} days", "event, `disabled`"),
        (
            "Refused requests of one inbound source that are kept",
            f"{door.REFUSED} a minute, {later.REFUSED} in all",
            "401",
        ),
        ("Body that is kept of a refused request", f"{keep.UNPROVED >> 10} KiB", "cut"),
        ("A change of an inbound source is known everywhere within", f"{directory.TTL:.0f} s", "as before"),
        ("Attempts under way in one process", f"{worker.ABREAST}", "the rest waits"),
        ("Attempts of one tenant under way in one process", "half of those", "the rest waits"),
        ("A silent worker's leases are freed after", f"{worker.SILENCE:.0f} s", "another attempt"),
        *_services(),
        ("Replayed deliveries waiting per endpoint", f"{replay.BACKLOG}", "the replay waits"),
        ("The health of an integration follows its calls within", f"{pulse.EVERY + watcher.EVERY:.0f} s", "as before"),
        ("The window of an integration's figures", f"{measure.WINDOW // 60} min", "forgotten"),
        ("A process that is silent counts as gone after", f"{presence.SILENCE:.0f} s", "its figures are not shown"),
        ("Tries of a step of an operation", f"{operation.TRIES}", "`failed`"),
        ("Span of a partition of the log", f"{retention.SPAN.days} days", "dropped whole"),
    ]
    return (
        f"{HEAD}# Limits\n\nEvery limit that callers and receivers can meet, and what they then see."
        " Those that are [settings](settings.md) can be changed.\n\n" + _table(("what", "limit", "beyond it"), rows)
    )


def _live() -> list[tuple[str, str, str]]:
    """What bounds the live stream."""
    usual = Settings()
    counted = {
        "Live connections of one credential to one process": usual.stream_connections_credential,
        "Live connections of one tenant to one process": usual.stream_connections_tenant,
        "Live connections of one process": usual.stream_connections,
    }
    beyond = "429 `too_many_requests`, `Retry-After`"
    return [
        *((what, f"{most} (setting)", beyond) for what, most in counted.items()),
        ("Frames that a live connection sends", "as requests of its credential", "error; closed with 4429 after 20"),
        ("A frame that a live connection sends", f"{wire.SIZE >> 10} KiB", "closed with 1009"),
        ("Topics of a live connection", f"{order.TOPICS}", "422 `invalid`"),
        ("Answer to a ping of a live connection", f"{wire.PONG:.0f} s", "closed with 1011"),
        ("A ticket for the live stream works", f"once, for {ticket.LIFE.seconds} s", "401 `unauthorized`"),
    ]


def _services() -> list[tuple[str, str, str]]:
    """What a remote service and its callers can meet."""
    usual = Settings()
    pace = Pace(usual.service_timeout, usual.service_first_wait, usual.service_longest_wait, usual.service_retries)
    spans = ", ".join(f"{pace.wait(number):g} s" for number in range(pace.retries))
    return [
        ("A request to a remote service", f"{usual.service_timeout:g} s (setting)", "asked again"),
        ("Waits before it is asked again", f"{spans} (settings), or `Retry-After`", "503 `service_unavailable`"),
        ("An answer of a remote service", f"{http.SIZE >> 20} MiB", "asked again, then as above"),
        ("Calls that fail one after the other", f"{usual.service_failures} (setting)", "the service is left in peace"),
        ("A service is left in peace for", f"{usual.service_rest:g} s (setting)", "503 `service_unavailable`"),
        ("Calls under way to one service, in one process", f"{caller.ABREAST}", "503 `service_unavailable`"),
        ("A change that nobody answered is asked for again within", f"{sink.REMEMBERED.days * 24} h", "`dead`"),
        ("A call that cannot be made is tried for", f"{sum(sink.SCHEDULE) / 3600:.0f} h", "`dead`"),
    ]


def _quotas() -> list[tuple[str, str, str]]:
    """How many requests are taken, by who is counted."""
    usual = Settings()
    counted = {
        "Requests of one credential": usual.rate_limit,
        "Requests of one credential that send events": usual.rate_limit_events,
        "Requests of one tenant": usual.rate_limit_tenant,
        "Requests of one address without a valid credential": usual.rate_limit_guests,
        "Requests at the token endpoints, of one app or address": usual.rate_limit_tokens,
        "Requests of one inbound source": usual.rate_limit_hooks,
    }
    beyond = "429 `too_many_requests`, `Retry-After`"
    return [(what, f"{most} a minute (setting)", beyond) for what, most in counted.items()]


def event_types(catalogue: Catalogue) -> str:
    """Every event type, and when it happens."""
    rows = [
        (
            f"[`{event.name}`](/reference/events/{event.name})",
            str(event.version),
            ", ".join(event.producers),
            ", ".join(event.consumers),
            event.summary,
        )
        for event in sorted(catalogue.events.values(), key=lambda each: each.name)
    ]
    return (
        f"{HEAD}# Events\n\nEvery event has the same [envelope](../how-to/receive-webhooks.md#what-arrives). Names of"
        " types and fields are permanent: a break is a new name. What others than `crosstie` send may be sent over"
        " `POST /api/v1/events`, a broker or a webhook; every type can be subscribed to. The fields"
        " of each, with an example, stand in the API reference, under `/api/v1/event-types`, and as JSON"
        " Schema in `spec/events/`.\n\n" + _table(("type", "version", "sent by", "acted on by", "when"), rows)
    )


def nouns(catalogue: Catalogue) -> str:
    """Every noun: its states and moves, what filters and sorts it, the events that follow."""
    parts = [f"{HEAD}# Nouns\n\nWhat Crosstie keeps. Scopes are `<noun>:read` and `<noun>:write`.\n"]
    parts += [_noun(resource) for resource in sorted(catalogue.resources.values(), key=lambda each: each.name)]
    return "\n".join(parts)


def metrics() -> str:
    """Every metric."""
    rows = [
        (f"`{each.name}`", each.kind, ", ".join(f"`{label}`" for label in _labels(each)), each.doc)
        for each in family.FAMILIES
    ]
    return (
        f"{HEAD}# Metrics\n\n`GET /metrics` answers in OpenMetrics text, without a credential: keep it to your own"
        " network."
        " Any process answers for all of the installation, so scrape one address; figures of other processes are at"
        f" most {presence.BEAT:.0f} s old. `process` is a process's name, machine and number; what has no such label"
        " is the installation's. A counter bears the suffix `_total`; a histogram `_bucket`, `_count` and `_sum`."
        " [How to watch an installation](../how-to/monitor.md).\n\n"
        + _table(("metric", "kind", "labels", "meaning"), rows)
    )


def _labels(each: family.Family) -> tuple[str, ...]:
    return each.labels if each.shared else ("process", *each.labels)


def _noun(resource: Resource) -> str:
    fields = resource.output.fields.values()
    rows = [
        (f"`{field.name}`", _kind(field.schema()), field.doc + (" Personal." if field.personal else ""))
        for field in fields
    ]
    found = f"## {resource.name}\n\n{resource.summary}\n\n" + _table(("field", "kind", "meaning"), rows)
    if resource.filter:
        found += f"\nFilters: {', '.join(f'`{a.key}`' for a in resource.filter)}.\n"
    if resource.machine:
        moves = [
            (f"`{move.verb}`", ", ".join(move.sources), move.target, f"`{move.event}`", move.doc)
            for move in resource.machine.moves
        ]
        found += "\n" + _table(("move", "from", "to", "event", "meaning"), moves)
    return found


def _kind(schema: dict[str, object]) -> str:
    if "anyOf" in schema:
        options = schema["anyOf"]
        assert isinstance(options, list)
        return " or ".join(_kind(option) for option in options)
    kind = schema.get("format") or schema.get("type") or ("reference" if "$ref" in schema else "any")
    return " or ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
