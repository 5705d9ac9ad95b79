"""Groups that become supergroups, and those that the account is no part of."""

import sqlalchemy as sa
from alembic import op

from core.schema import Moment

revision = "0008"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "chat_moves",
        sa.Column("former_id", sa.Text(), nullable=False),
        sa.Column("chat_id", sa.Text(), nullable=False),
        sa.Column("noticed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("former_id", name=op.f("pk_chat_moves")),
        sa.UniqueConstraint("chat_id", name=op.f("uq_chat_moves_chat_id")),
    )
    op.add_column("chats", sa.Column("gone_at", Moment(), nullable=True))
    op.add_column("deliveries", sa.Column("former_chat", sa.Text(), nullable=True))
