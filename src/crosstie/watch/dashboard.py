"""A dashboard for Grafana and alert rules for Prometheus, written from the declared metrics: none can name another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crosstie.watch import family
from crosstie.watch.family import Family

#: columns of Grafana's grid
WIDTH = 24
SOURCE = {"type": "prometheus", "uid": "${source}"}
SPAN = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart: expressions by their legend."""

    title: str
    unit: str
    lines: Mapping[str, str]
    width: int = 8
    kind: str = "timeseries"


def rate(metric: Family, *by: str, span: str = SPAN, **where: str) -> str:
    """Events of a counter or histogram per second, of all processes together."""
    suffix = "_total" if metric.kind == "counter" else "_count"
    return f"sum by ({', '.join(by)}) (rate({metric.name}{suffix}{_chosen(where)}[{span}]))"


def quantile(part: float, metric: Family, *by: str, span: str = SPAN, **where: str) -> str:
    """A quantile of a histogram, of all processes together."""
    inner = f"sum by ({', '.join((*by, 'le'))}) (rate({metric.name}_bucket{_chosen(where)}[{span}]))"
    return f"histogram_quantile({part}, {inner})"


def worst(metric: Family, *by: str) -> str:
    """A gauge; where several processes show it, the highest."""
    return f"max by ({', '.join(by)}) ({metric.name})"


def share(metric: Family, span: str, *by: str, **where: str) -> str:
    """The part of a counter or histogram for which `where` holds."""
    return f"{rate(metric, *by, span=span, **where)} / {rate(metric, *by, span=span)}"


def _chosen(where: Mapping[str, str]) -> str:
    """A pattern that begins with ! must not match."""
    matched = ", ".join(f'{label}{"!~" if p[0] == "!" else "=~"}"{p.lstrip("!")}"' for label, p in where.items())
    return f"{{{matched}}}" if matched else ""


QUANTILES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
PANELS = (
    Panel("Alerts that fire", "short", {"{{kind}}": worst(family.FIRING, "kind")}, 6, "stat"),
    Panel("Integrations", "short", {"{{status}}": f"sum by (status) ({family.INTEGRATIONS.name})"}, 6, "stat"),
    Panel("Oldest due delivery", "s", {"waits": worst(family.OLDEST)}, 6, "stat"),
    Panel("Processes", "short", {"live": worst(family.UP)}, 6, "stat"),
    Panel("Requests by status", "reqps", {"{{status}}": rate(family.REQUESTS, "status")}),
    Panel("Time of requests", "s", {name: quantile(part, family.REQUESTS) for name, part in QUANTILES}),
    Panel("p95 by route", "s", {"{{route}}": f"topk(10, {quantile(0.95, family.REQUESTS, 'route')})"}),
    Panel("Attempts by outcome", "ops", {"{{outcome}}": rate(family.ATTEMPTS, "outcome")}),
    Panel("p95 by integration", "s", {"{{integration}}": quantile(0.95, family.ATTEMPTS, "integration")}),
    Panel("Deliveries that ended", "ops", {"{{status}}": rate(family.ENDED, "status")}),
    Panel("Events", "ops", {"appended, {{way}}": rate(family.APPENDED, "way"), "dispatched": rate(family.DISPATCHED)}),
    Panel(
        "Waiting",
        "short",
        {
            "deliveries": worst(family.WAITING),
            "leased": worst(family.LEASED),
            "undispatched": worst(family.UNDISPATCHED),
        },
    ),
    Panel("Dead letters", "short", {"{{status}}": worst(family.LETTERS, "status")}),
    Panel("Lines to brokers and services", "short", {"{{name}}, {{process}}": worst(family.LINES, "name", "process")}),
    Panel("Live connections", "short", {"{{wire}}, {{process}}": worst(family.CONNECTED, "wire", "process")}),
    Panel("Frames to live connections", "ops", {"{{wire}}": rate(family.FRAMES, "wire")}),
    Panel("Live connections sent away", "ops", {"{{wire}}, {{reason}}": rate(family.AWAY, "wire", "reason")}),
    Panel("From brokers", "ops", {"{{broker}}": rate(family.CAME, "broker")}),
    Panel("Inbound webhooks", "ops", {"{{dialect}}, {{status}}": rate(family.KNOCKED, "dialect", "status")}),
    Panel("Calls to services", "ops", {"{{service}}, {{outcome}}": rate(family.CALLS, "service", "outcome")}),
    Panel("p95 by service", "s", {"{{service}}": quantile(0.95, family.CALLS, "service")}),
    Panel("Breakers", "short", {"{{service}}, {{state}}": worst(family.BREAKERS, "service", "state")}),
    Panel("Readers wait for", "short", {"transactions": worst(family.BEHIND)}),
    Panel(
        "Database connections in use",
        "short",
        {
            "{{process}}, {{role}}": f'{family.CONNECTIONS.name}{{state="open"}}'
            f' - ignoring (state) {family.CONNECTIONS.name}{{state="idle"}}'
        },
    ),
    Panel("Processor", "percentunit", {"{{process}}": rate(family.CPU, "process")}),
    Panel("Memory", "bytes", {"{{process}}": worst(family.RESIDENT, "process")}),
    Panel("Open files", "short", {"{{process}}": worst(family.FILES, "process")}),
    Panel("Scrapes without the database", "ops", {"{{process}}": rate(family.ERRORS, "process")}),
)


def dashboard() -> dict[str, Any]:
    """The document that Grafana imports."""
    return {
        "title": "Crosstie",
        "uid": "crosstie",
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]
        },
        "panels": _placed(),
    }


def _placed() -> list[dict[str, Any]]:
    found = []
    x = y = height = 0
    for number, panel in enumerate(PANELS, 1):
        if x + panel.width > WIDTH:
            x, y = 0, y + height
        height = 4 if panel.kind == "stat" else 8
        place = {"x": x, "y": y, "w": panel.width, "h": height}
        found.append({"id": number, "gridPos": place, **_drawn(panel)})
        x += panel.width
    return found


def _drawn(panel: Panel) -> dict[str, Any]:
    targets = [
        {"refId": chr(65 + number), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
        for number, (legend, expression) in enumerate(panel.lines.items())
    ]
    return {
        "title": panel.title,
        "type": panel.kind,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": targets,
    }


#: name → (expression that is an alert, how long it must be so, severity, what it means)
RULES = {
    "CrosstieRequestsFail": (
        f"100 * {share(family.REQUESTS, '5m', status='5..')} > 5",
        "1m",
        "critical",
        "More than 5 % of requests fail.",
    ),
    "CrosstieRequestsSlow": (
        f"{quantile(0.95, family.REQUESTS, span='5m')} > 2 * {quantile(0.95, family.REQUESTS, span='1d')}",
        "5m",
        "warning",
        "The 95th percentile of requests is above twice that of the day.",
    ),
    "CrosstieAttemptsFail": (
        f"100 * {share(family.ATTEMPTS, '5m', 'sink', outcome='!delivered')} > 5",
        "1m",
        "warning",
        "More than 5 % of attempts fail.",
    ),
    "CrosstieDeliveriesWait": (f"{worst(family.OLDEST)} > 600", "1m", "critical", "A delivery is due for 10 minutes."),
    "CrosstieDeliveriesGivenUp": (
        f"{rate(family.ENDED, 'sink', span='5m', status='dead')} > 0",
        "0m",
        "warning",
        "Deliveries were given up.",
    ),
    "CrosstieLineDown": (
        f"max by (kind, name) ({family.LINES.name}) == 0",
        "1m",
        "critical",
        "No process has a line to a broker.",
    ),
    "CrosstieBreakerOpen": (
        f'{family.BREAKERS.name}{{state="open"}} > 0',
        "1m",
        "warning",
        "A remote service failed again and again: it is left in peace.",
    ),
    "CrosstieReadersWait": (
        f"{worst(family.BEHIND)} > 10000",
        "1m",
        "warning",
        "A long transaction keeps readers waiting.",
    ),
    "CrosstieScrapeEmpty": (
        f"{rate(family.ERRORS, 'process', span='5m')} > 0",
        "1m",
        "critical",
        "A process cannot read its figures from the database.",
    ),
}


def rules() -> dict[str, Any]:
    """The document that Prometheus reads as a file of rules: JSON is YAML."""
    return {
        "groups": [
            {
                "name": "crosstie",
                "rules": [
                    {
                        "alert": name,
                        "expr": expression,
                        "for": held,
                        "labels": {"severity": severity},
                        "annotations": {"summary": summary},
                    }
                    for name, (expression, held, severity, summary) in RULES.items()
                ],
            }
        ]
    }
