"""Dead letters are found without reading all that was ever told."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_index("ix_deliveries_lost", "deliveries", ["id"], sqlite_where=sa.text("status IN ('dead', 'ambiguous')"))
