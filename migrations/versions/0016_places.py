"""Brokers follow the log: how far each has come for each tenant, where it begins, and which worker sends to it."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

#: a broker that is there already begins with what the dispatcher has not looked at yet: some of it may go out twice
BEGIN = """
UPDATE brokers SET epoch = (SELECT epoch FROM installation WHERE id = 1), xid = coalesce(
  (SELECT min(e.xid) FROM outbox o JOIN events e ON e.tenant_id = o.tenant_id AND e.id = o.id),
  pg_snapshot_xmin(pg_current_snapshot())::text::bigint)
"""


def upgrade() -> None:
    op.create_table(
        "places",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False, comment="Who follows: the name of a broker."),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("xid", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False, comment="The last event that it has, or that it does not want."),
        sa.PrimaryKeyConstraint("tenant_id", "way", name=op.f("pk_places")),
        postgresql_with={"fillfactor": 50},
    )
    op.add_column("brokers", sa.Column("epoch", sa.Integer(), nullable=True, comment="Where it begins in the log."))
    op.add_column("brokers", sa.Column("xid", sa.BigInteger(), nullable=True))
    op.add_column("brokers", sa.Column("held_by", sa.Uuid(), nullable=True, comment="The worker that sends to it."))
    op.add_column(
        "brokers", sa.Column("held_at", sa.DateTime(timezone=True), nullable=True, comment="When it said so.")
    )
    op.execute("SELECT set_config('app.owner', 'on', true)")
    op.execute(BEGIN)
