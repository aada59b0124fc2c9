"""Dispatch by compliance: a job sets out once the checks that come before it are passed (checklist C-078)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crosstie.db.statement import fetch
from crosstie.declare.module import Reaction
from crosstie.kit import ids
from crosstie.log import change
from crosstie.log.event import Event
from crosstie.log.unit import Unit
from crosstie.modules.field.job import DISPATCH, JOBS, Job


async def passed(unit: Unit, event: Event, data: Mapping[str, Any]) -> None:
    """Dispatch the job that a passed checklist names, if it is scheduled; a job in any other state stays in it."""
    try:
        id = ids.parse(str(data.get("job_id")))
    except ValueError:
        return  # a job of another system
    for row in await unit.fetch(fetch(Job.__table__, lock=True), key_tenant=unit.tenant_id, key_id=id):
        if row["status"] in DISPATCH.sources:
            await change.move(unit, JOBS, Job.view(row), DISPATCH, {})


REACTION = Reaction("field.dispatch", ("compliance.checklist.completed",), passed)
