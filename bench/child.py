"""A serving process of a stand: what `crosstie up` runs, with one event type more, that benches may send."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import uvloop

from crosstie import app, catalog
from crosstie.app import Dsns
from crosstie.declare.event import EventType
from crosstie.declare.module import Module
from crosstie.settings import Settings

__all__ = ["catalog"]

TEXT = {"type": "string", "maxLength": 200}
READING = EventType(
    name="bench.reading",
    summary="A meter was read.",
    data_schema={
        "type": "object",
        "required": ["meter_id", "value", "unit", "read_at"],
        "properties": {
            "meter_id": TEXT,
            "value": {"type": "number"},
            "unit": {"type": "string", "enum": ["kWh", "l"]},
            "read_at": {"type": "string", "format": "date-time"},
            **{f"field_{number}": TEXT for number in range(16)},
        },
        "additionalProperties": False,
    },
    example={"meter_id": "m", "value": 1.5, "unit": "kWh", "read_at": "2026-01-01T00:00:00Z"},
    direction="in",
    producers=("partners",),
    subject="meter",
    subject_field="meter_id",
    open=True,
)
if all(module.name != "bench" for module in catalog.MODULES):
    catalog.MODULES += (Module("bench", "What benches send.", events=(READING,)),)


#: no credential may be held back
QUOTAS = {"rate_limit": 100_000_000, "rate_limit_events": 100_000_000}


def settings(home: Path, port: int, brokers: Iterable[str] = ()) -> Settings:
    """The settings of a stand."""
    common: dict[str, Any] = {"egress_allow": ("127.0.0.0/8",), "log_level": "error", **QUOTAS}
    return Settings(home=home, port=port, brokers=tuple(brokers), **common)


def main() -> None:
    plan = json.loads(sys.argv[1])
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", plan["port"]))
    serving = app.serve(
        settings(Path(plan["home"]), plan["port"], plan.get("brokers", ())),
        Dsns(plan["app"], plan["worker"]),
        api=True,
        work=plan["work"],
        name=plan["name"],
        listener=listener,
    )
    uvloop.run(serving)


if __name__ == "__main__":
    main()
