"""The bot: sends without keys."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("sends", sa.Integer(), server_default="0", nullable=False))
    op.drop_index("ix_deliveries_owed", table_name="deliveries")
    op.create_index(
        "ix_deliveries_owed",
        "deliveries",
        ["status", "front", "chat_id", "id"],
        unique=False,
        sqlite_where=sa.text("status IN ('held', 'open', 'ready', 'ambiguous')"),
    )
