"""Inbound requests that are past their time, or were refused, are found by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_index("ix_inbound_requests_age", "inbound_requests", ["id"])
    op.create_index(
        "ix_inbound_requests_refused",
        "inbound_requests",
        ["tenant_id", "source_id", "id"],
        postgresql_where=sa.text("status = 'rejected' AND NOT verified"),
    )
