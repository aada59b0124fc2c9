"""Calls of services know the address that they were sent to."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("service_calls", sa.Column("sent_to", sa.Text(), nullable=True))
