"""Reports of field work: the quote as it goes to the client, the report of a job, the certificate."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from crosstie.db.statement import Statement
from crosstie.declare import kind as kinds
from crosstie.declare.field import Field
from crosstie.declare.report import Report
from crosstie.declare.shape import Nested
from crosstie.kit import clock
from crosstie.log.unit import Unit
from crosstie.modules.field.words import REPORTS

HERE = Path(__file__).parent / "reports"
SITE = Field(
    Nested(
        (
            Field(kinds.Text(200), name="name", doc="What people call it."),
            Field(kinds.Text(300), name="street", doc="Street and number."),
            Field(kinds.Text(100), name="city", doc="Town.", nullable=True),
        )
    ),
    name="site",
    doc="Where the work is done.",
    nullable=True,
)
CERTIFICATES = Field(
    kinds.Many(
        Nested(
            (
                Field(kinds.Text(60), name="number", doc="Its number."),
                Field(kinds.Text(60), name="type", doc="What it certifies."),
                Field(kinds.Text(120), name="standard", doc="The standard.", nullable=True),
                Field(kinds.Moment(), name="issued_at", doc="When it was issued.", nullable=True),
            )
        ),
        200,
    ),
    name="certificates",
    doc="The certificates that are in force.",
)
_AROUND = Statement(
    "SELECT c.name AS client, j.title AS job, s.name, s.street, s.city FROM jobs j"
    " JOIN clients c ON c.tenant_id = j.tenant_id AND c.id = coalesce($2::uuid, j.client_id)"
    " LEFT JOIN sites s ON s.tenant_id = j.tenant_id AND s.id = j.site_id WHERE j.id = $1::uuid",
    ["job", "client"],
)
_ISSUED = Statement(
    "SELECT number, type, standard, issued_at FROM certificates"
    " WHERE job_id = $1::uuid AND status = 'issued' ORDER BY issued_at, id LIMIT 200",
    ["job"],
)


async def _around(unit: Unit, job: UUID, client: UUID | None = None) -> dict[str, Any]:
    """The work, whom it is for, and where it is done."""
    (row,) = await unit.fetch(_AROUND, job=job, client=client)
    site = {name: row[name] for name in ("name", "street", "city")} if row["name"] else None
    return {"client": row["client"], "job": row["job"], "site": site}


async def _quote(unit: Unit, row: Any) -> dict[str, Any]:
    date = clock.format(row.sent_at or unit.now)
    return await _around(unit, row.job_id, row.client_id) | {"number": row.reference, "date": date}


async def _job(unit: Unit, row: Any) -> dict[str, Any]:
    issued = [dict(each) for each in await unit.fetch(_ISSUED, job=row.id)]
    for each in issued:
        each["issued_at"] = clock.format(each["issued_at"]) if each["issued_at"] else None
    beside = {"number": row.reference, "date": clock.format(row.completed_at or unit.now), "certificates": issued}
    return await _around(unit, row.id) | beside


async def _certificate(unit: Unit, row: Any) -> dict[str, Any]:
    date = clock.format(row.issued_at) if row.issued_at else None
    return await _around(unit, row.job_id) | {"number": row.number, "date": date}


def _body(name: str) -> str:
    return (HERE / f"{name}.html").read_text("utf-8")


QUOTE = Report("quote", _body("quote"), REPORTS, _quote, (SITE,), ("jobs", "clients", "sites"))
JOB = Report("job_report", _body("job"), REPORTS, _job, (SITE, CERTIFICATES), ("clients", "sites", "certificates"))
CERTIFICATE = Report("certificate", _body("certificate"), REPORTS, _certificate, (SITE,), ("jobs", "clients", "sites"))
