"""Attachments, files and links."""

import sqlalchemy as sa
from alembic import op

from core.schema import Key, Moment

revision = "0007"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("messages", sa.Column("album", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_messages_album",
        "messages",
        ["front", "chat_id", "album"],
        unique=False,
        sqlite_where=sa.text("album IS NOT NULL"),
    )
    op.add_column("deliveries", sa.Column("file_id", Key, nullable=True))
    create_attachments()
    create_files()
    create_links()


def create_attachments() -> None:
    op.create_table(
        "attachments",
        sa.Column("id", Key, nullable=False),
        sa.Column("message_row", Key, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("mime", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=True),
        sa.Column("picture", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('new', 'read', 'unread')", name=op.f("ck_attachments_known_state")),
        sa.ForeignKeyConstraint(
            ["message_row"], ["messages.id"], name=op.f("fk_attachments_message_row"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
        sa.UniqueConstraint("message_row", "place", name=op.f("uq_attachments_message_row_place")),
        sqlite_autoincrement=True,
    )


def create_files() -> None:
    op.create_table(
        "files",
        sa.Column("id", Key, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mime", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("tool_call_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
        sa.UniqueConstraint("run_id", "tool_call_id", name=op.f("uq_files_run_id_tool_call_id")),
    )


def create_links() -> None:
    op.create_table(
        "links",
        sa.Column("id", Key, nullable=False),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("summary", sa.Text(), server_default="", nullable=False),
        sa.Column("front", sa.Text(), nullable=False),
        sa.Column("chat_id", sa.Text(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("sender_id", sa.BigInteger(), nullable=False),
        sa.Column("sender_name", sa.Text(), server_default="", nullable=False),
        sa.Column("saved_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        sa.UniqueConstraint("front", "chat_id", "message_id", name=op.f("uq_links_front_chat_id_message_id")),
    )
    op.create_index("ix_links_workspace", "links", ["workspace", "id"], unique=False)
