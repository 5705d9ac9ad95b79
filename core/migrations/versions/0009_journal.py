"""The journal keeps what a run was asked, what an answer answered, nested runs and whatever a tool gave beside text."""

import sqlalchemy as sa
from alembic import op

from core.columns import Moment

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("runs", sa.Column("prompt", sa.JSON(), nullable=True))
    op.add_column("steps", sa.Column("parent", sa.Text(), nullable=True))
    op.add_column("steps", sa.Column("content", sa.JSON(), nullable=True))
    op.add_column("steps", sa.Column("digest", sa.Text(), nullable=True))
    op.add_column("steps", sa.Column("set_aside_at", Moment(), nullable=True))
