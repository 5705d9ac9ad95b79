"""The tables of what messages carry beside their text: attachments that came, files that go, links that were saved."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from core.columns import Key, Moment, metadata, one_of

ATTACHMENT_STATES = ("new", "read", "unread")

attachments = Table(
    "attachments",
    metadata,
    Column("id", Key, primary_key=True),
    Column("message_row", Key, ForeignKey("messages.id", ondelete="CASCADE"), nullable=False),
    Column("place", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("mime", Text, nullable=False),  # as the sender's client says, like size and name
    Column("size", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("seconds", Integer),
    Column("note", Text, nullable=False),
    Column("reference", Text),  # what the front fetches it by
    Column("state", Text, nullable=False),  # `new`: no turn has needed it yet; `unread`: it cannot be read, see problem
    Column("what", Text),  # what its content is, in a few words: `PDF, 3 pages`
    Column("picture", Text),  # what its content is, where that is a picture: kept in data/media/in
    Column("text", Text),  # what it says: a transcript, a document's text
    Column("problem", Text),
    one_of("state", ATTACHMENT_STATES),
    UniqueConstraint("message_row", "place"),
    sqlite_autoincrement=True,  # the number is the name of a file
)

files = Table(
    "files",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", Text, nullable=False),
    Column("mime", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("key", Text),  # its name in data/media/out; None where the content is `text`
    Column("text", Text),
    Column("run_id", Text),  # with tool_call_id: the call that sent it, once
    Column("tool_call_id", Text),
    UniqueConstraint("run_id", "tool_call_id"),
)

links = Table(
    "links",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("title", Text, nullable=False, server_default=""),
    Column("summary", Text, nullable=False, server_default=""),
    Column("front", Text, nullable=False),
    Column("chat_id", Text, nullable=False),
    Column("message_id", BigInteger, nullable=False),
    Column("sender_id", BigInteger, nullable=False),
    Column("sender_name", Text, nullable=False, server_default=""),
    Column("saved_at", Moment, nullable=False),
    UniqueConstraint("front", "chat_id", "message_id"),
    Index("ix_links_workspace", "workspace", "id"),
)
