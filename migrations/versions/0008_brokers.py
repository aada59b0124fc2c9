"""The brokers of the installation, as its workers name them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "brokers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tenants", sa.Text(), nullable=True, comment="Slugs, parted by commas; null where it is for all."),
        sa.Column("types", sa.Text(), nullable=False, comment="Patterns of the types that go out, parted by commas."),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, comment="When a worker named it last."),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_brokers")),
    )
