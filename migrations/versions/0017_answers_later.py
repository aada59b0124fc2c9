"""A provider may answer later what it was asked about a request."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.add_column("inbound_requests", sa.Column("asked", JSONB))
    op.add_column("inbound_requests", sa.Column("answer", sa.LargeBinary))
    op.add_column("inbound_requests", sa.Column("answered", sa.BigInteger))
