"""Messages name the files that go along."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.add_column("messages", sa.Column("attachments", JSONB, nullable=False, server_default="[]"))
    op.alter_column("messages", "attachments", server_default=None)
