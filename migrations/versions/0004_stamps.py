"""Entries of the audit log wait under a stamp: what another hand than ours put there is told from them.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "audit_pending",
        sa.Column(
            "stamp", sa.LargeBinary(), comment="Shows which process wrote it: one of this installation, or another."
        ),
    )


def downgrade() -> None:
    op.drop_column("audit_pending", "stamp")
