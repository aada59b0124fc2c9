"""The values of headers that endpoints are sent are sealed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("webhook_endpoints", sa.Column("header_values", sa.LargeBinary()))
