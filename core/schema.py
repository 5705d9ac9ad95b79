"""Every table of `system.db` (those of media are in core.media_schema). What a column means stands beside it; queries
live in the stores."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from core.columns import Key, Moment, metadata, one_of
from core.media_schema import attachments, files, links

__all__ = ["Key", "Moment", "attachments", "files", "links", "metadata"]

PROMISE_STATUSES = ("pending", "in_progress", "completed", "failed", "waiting", "cancelled")
TURN_STATUSES = ("open", "running", "done", "failed", "stopped", "aside")
DELIVERY_STATUSES = ("held", "open", "ready", "sent", "ambiguous", "dead", "dropped")

chats = Table(
    "chats",
    metadata,
    Column("front", Text, primary_key=True),
    Column("chat_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False, server_default=""),
    Column("since", Moment, nullable=False),  # nothing sent before this is new: when it was first admitted
    Column("mark", BigInteger, nullable=False, server_default="0"),  # history is read without a gap up to here
    Column("floor", BigInteger, nullable=False, server_default="0"),  # at or below: never new again (retention)
    Column("stopped_at", Moment),  # A6: too many answers; set until the owner lifts it
    Column("stopped_reason", Text),
    Column("lifted_at", Moment),  # answers given before this do not count any more
    Column("gone_at", Moment),  # a group that the account is no part of: since when, as far as was seen
)

admitted_since = Table(
    "admitted_since",
    metadata,
    Column("entry", Text, primary_key=True),  # `chat:-1005`, `user:name`, `id:5`: a line of the configuration
    Column("since", Moment, nullable=False),
)

chat_moves = Table(
    "chat_moves",
    metadata,
    Column("former_id", Text, primary_key=True),  # the basic group that it was
    Column("chat_id", Text, nullable=False, unique=True),  # the supergroup that it has become, for every front
    Column("noticed_at", Moment, nullable=False),
)

turns = Table(
    "turns",
    metadata,
    Column("id", Key, primary_key=True),
    Column("front", Text, nullable=False),
    Column("chat_id", Text, nullable=False),
    Column("workspace", Text, nullable=False),
    Column("kind", Text, nullable=False, server_default="agent"),  # `agent`: one at a time per chat; `command`: at once
    Column("status", Text, nullable=False),
    Column("requester_id", BigInteger, nullable=False),
    Column("requester_name", Text, nullable=False, server_default=""),
    Column("role", Text, nullable=False),
    Column("reply_to", BigInteger, nullable=False),  # the message the answer replies to; 0: none of this chat's
    Column("joinable", Boolean, nullable=False, server_default=text("1")),  # nothing shown or done yet
    # How often what its run begins with has grown or changed: who ends it must have read all of that.
    Column("joined", Integer, nullable=False, server_default="1"),
    Column("run_id", Text, nullable=False),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("owner", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),  # starts, the first included
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Column("stop_requested_by", Text),
    Column("error_id", Text),
    Column("error", Text),
    one_of("status", TURN_STATUSES),
    Index("ix_turns_open", "front", "chat_id", "id", sqlite_where=text("status = 'open'")),
    Index(
        "uq_turns_running",
        "front",
        "chat_id",
        unique=True,
        sqlite_where=text("status = 'running' AND kind = 'agent'"),
    ),
    Index("ix_turns_unfinished", "status", sqlite_where=text("status IN ('open', 'running')")),
    Index("ix_turns_recent", "front", "chat_id", "created_at"),
    sqlite_autoincrement=True,  # a number that people were told is never given again
)

messages = Table(
    "messages",
    metadata,
    Column("id", Key, primary_key=True),
    Column("front", Text, nullable=False),
    Column("chat_id", Text, nullable=False),
    Column("message_id", BigInteger, nullable=False),  # the front's own number
    Column("inbound_key", Text),  # Idempotency-Key of the HTTP API
    Column("workspace", Text),
    Column("sender_id", BigInteger, nullable=False),
    Column("sender_username", Text),
    Column("sender_name", Text, nullable=False, server_default=""),
    Column("role", Text),
    Column("sent_at", Moment, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("edited_at", Moment),
    Column("text", Text, nullable=False),  # as written
    Column("prompt", Text, nullable=False),  # what an agent reads: the mention is cut out
    Column("reply_to", BigInteger),
    Column("answer", Boolean, nullable=False),  # whether it gets one
    Column("reason", Text, nullable=False),  # why it does or does not
    Column("via", Text, nullable=False),  # `live`, `history`, `edit`
    Column("turn_id", Key, ForeignKey("turns.id")),
    Column("album", BigInteger),  # the number that the messages of one album share
    UniqueConstraint("front", "chat_id", "message_id"),
    Index("uq_messages_inbound_key", "front", "chat_id", "inbound_key", unique=True),
    Index("ix_messages_turn_id", "turn_id", sqlite_where=text("turn_id IS NOT NULL")),
    Index("ix_messages_album", "front", "chat_id", "album", sqlite_where=text("album IS NOT NULL")),
)

promises = Table(
    "promises",
    metadata,
    Column("id", Key, primary_key=True),
    Column("chat_id", Text, nullable=False),
    Column("message_id", BigInteger),  # the message that asked
    Column("task_description", Text, nullable=False),
    Column("task_type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("completed_at", Moment),
    Column("result_summary", Text),
    Column("error_message", Text),
    Column("metadata", JSON, nullable=False, server_default="{}"),
    Column("front", Text, nullable=False),
    Column("workspace", Text, nullable=False),
    Column("requester_id", BigInteger, nullable=False),
    Column("requester_name", Text, nullable=False, server_default=""),
    Column("role", Text, nullable=False),
    Column("made_by_run", Text),  # with tool_call_id: the call that made it, once
    Column("tool_call_id", Text),
    Column("run_id", Text, nullable=False),  # the run that keeps it
    Column("priority", Integer, nullable=False, server_default="0"),  # higher first
    Column("waiting_for", Text),  # `dependency`, `schedule`, `approval`, `directory`
    Column("not_before", Moment),  # schedule or backoff
    Column("due_at", Moment),  # when it is to start, as it was ordered; `not_before` moves with every retry
    Column("every", Text),  # how it is repeated: `30m`, or five cron fields
    Column("zone", Text),  # the IANA zone of `every`
    Column("former_id", Key, unique=True),  # the occurrence before this one
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("deaths", Integer, nullable=False, server_default="0"),  # workers that died over it
    Column("epoch", Integer, nullable=False, server_default="0"),  # the fencing token
    Column("owner", Text),
    Column("lease_until", Float),  # seconds of the boot clock
    Column("started_at", Moment),
    Column("cancel_requested_at", Moment),
    Column("cancel_requested_by", Text),
    Column("progress", Text),
    Column("evidence", JSON),
    Column("updated_at", Moment, nullable=False),
    one_of("status", PROMISE_STATUSES),
    UniqueConstraint("made_by_run", "tool_call_id"),
    Index("ix_promises_claimable", "priority", "id", sqlite_where=text("status = 'pending'")),
    Index("ix_promises_held", "owner", sqlite_where=text("status = 'in_progress'")),
    Index("ix_promises_waiting", "not_before", sqlite_where=text("status = 'waiting'")),
    Index("ix_promises_directory", "workspace", sqlite_where=text("waiting_for = 'directory'")),
    Index("ix_promises_chat", "front", "chat_id", "id"),
    Index("ix_promises_workspace", "workspace", "id"),
    Index("ix_promises_status", "status", "completed_at"),
    Index("ix_promises_updated_at", "updated_at"),
    sqlite_autoincrement=True,  # a number that people were told is never given again
)

promise_dependencies = Table(
    "promise_dependencies",
    metadata,
    Column("promise_id", Key, ForeignKey("promises.id", ondelete="CASCADE"), primary_key=True),
    Column("after_id", Key, ForeignKey("promises.id"), primary_key=True, index=True),
)

results = Table(
    "results",
    metadata,
    Column("promise_id", Key, ForeignKey("promises.id", ondelete="CASCADE"), primary_key=True),
    Column("text", Text, nullable=False),  # the whole of a result that was too long for its chat
)

consents = Table(
    "consents",
    metadata,
    Column("id", Key, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("key", Text, nullable=False),  # the call within its run: `model request:tool call id`
    Column("promise_id", Key, nullable=False, index=True),  # what waits for it
    Column("tool", Text, nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("digest", Text, nullable=False),  # of tool and arguments: what is granted is exactly this
    Column("asked_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("decision", Text),  # granted, refused, expired, void: it goes another way
    Column("decided_by", Text),
    Column("decided_at", Moment),
    Index("ix_consents_call", "run_id", "key", "id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Key, primary_key=True),
    Column("front", Text, nullable=False),
    Column("chat_id", Text, nullable=False),
    Column("reply_to", BigInteger),
    Column("kind", Text, nullable=False),  # see conversations/delivery.py
    Column("part", Integer, nullable=False, server_default="0"),
    Column("turn_id", Key, ForeignKey("turns.id")),
    Column("promise_id", Key, ForeignKey("promises.id")),
    Column("status", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("entities", JSON, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),  # raised by every change of the text
    Column("buttons", JSON(none_as_null=True)),  # what can be pressed under it: [[words, command], …]
    Column("former", JSON),  # texts that it may stand in the chat with, when it was changed before its send was known
    Column("random_id", BigInteger, nullable=False, unique=True),  # the key of the send
    Column("file_id", Key),  # the row of `files` that is sent with the text
    Column("message_id", BigInteger),  # what the front made of it
    Column("former_chat", Text),  # the group that its chat was: a send of before the move may stand there
    Column("attempts", Integer, nullable=False, server_default="0"),
    # Where the front keeps no keys: sends begun, but for those known to have failed. One whose outcome nobody knows is
    # `ambiguous`; it is repeated once, and says so.
    Column("sends", Integer, nullable=False, server_default="0"),
    Column("not_before", Moment),
    Column("error", Text),
    Column("created_at", Moment, nullable=False),
    Column("sent_at", Moment),
    one_of("status", DELIVERY_STATUSES),
    Index("uq_deliveries_turn", "turn_id", "kind", "part", unique=True, sqlite_where=text("kind <> 'ack'")),
    UniqueConstraint("promise_id", "kind", "part"),
    Index(
        "ix_deliveries_owed",
        *("status", "front", "chat_id", "id"),
        sqlite_where=text("status IN ('held', 'open', 'ready', 'ambiguous')"),
    ),
    Index("ix_deliveries_lost", "id", sqlite_where=text("status IN ('dead', 'ambiguous')")),
    Index("ix_deliveries_held", "turn_id", sqlite_where=text("status = 'held'")),
    Index("uq_deliveries_message", "front", "chat_id", "message_id", unique=True),
    Index("ix_deliveries_chat", "front", "chat_id", "id"),
    Index("ix_deliveries_turn_id", "turn_id"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("agent", Text, nullable=False),
    Column("workspace", Text, nullable=False),
    Column("turn_id", Key),
    Column("promise_id", Key),
    Column("status", Text, nullable=False),  # running, done, failed, stopped
    Column("prompt", JSON),  # what it was asked: it is asked the same when it goes on
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
)

steps = Table(
    "steps",
    metadata,
    Column("id", Key, primary_key=True),
    Column("run_id", Text, nullable=False),
    # `model:3`, the tool call's id, `steer:MESSAGE`, `CALL/AGENT.1` and below it the keys of that nested run
    Column("key", Text, nullable=False),
    Column("parent", Text),  # the key of the tool call or nested run that it is part of
    Column("kind", Text, nullable=False),  # model, tool, steer (somebody steers), agent (a nested run)
    Column("name", Text, nullable=False),  # of the model, tool or agent; of a steer what it is
    Column("status", Text, nullable=False),  # intent (of a steer: not taken yet), done, refused, failed, interrupted
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("request", JSON),  # a tool's arguments, an agent's prompt, what a steer says
    Column("response", JSON),  # a steer's: the number of the model request that took it
    Column("content", JSON),  # what a tool showed the model beside its result
    Column("evidence", JSON),
    Column("digest", Text),  # of what a model's response answers
    Column("set_aside_at", Moment),  # a replay found another question here: never used again
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    UniqueConstraint("run_id", "key"),
)

llm_calls = Table(
    "llm_calls",
    metadata,
    Column("number", Key, primary_key=True),
    Column("started_at", Moment, nullable=False, index=True),
    Column("chat", Text),
    Column("run", Text, index=True),
    Column("promise", Key),
    Column("requester", Text),
    Column("kind", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("system_chars", Integer, nullable=False),
    Column("prompt_chars", Integer, nullable=False),
    Column("tokens_in", Integer),
    Column("tokens_out", Integer),
    Column("tokens_cached", Integer),
    Column("wait", Float),  # seconds until the first byte of the answer
    Column("duration", Float),  # seconds in all
    Column("calls_last_60s", Integer, nullable=False),
    Column("outcome", Text, nullable=False),  # open, ok, error, cancelled
    Column("error_type", Text),
    Column("request_id", Text),
    Column("cost", Float),  # US dollars
)

knocks = Table(
    "knocks",
    metadata,
    Column("id", Key, primary_key=True),
    Column("front", Text, nullable=False),
    Column("chat_id", Text, nullable=False),  # who wrote to the bot without being admitted: a DM, or a group
    Column("is_group", Boolean, nullable=False),
    Column("person_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("decision", Text),  # admitted, denied
    Column("decided_by", Text),
    Column("decided_at", Moment),
    UniqueConstraint("front", "chat_id"),
    sqlite_autoincrement=True,  # a number that stands on a button is never given again
)

audit = Table(
    "audit",
    metadata,
    Column("id", Key, primary_key=True),
    Column("kind", Text, nullable=False),  # access, fence, web
    Column("front", Text, nullable=False, server_default=""),
    Column("chat_id", Text, nullable=False, server_default=""),
    Column("sender_id", BigInteger, nullable=False, server_default="0"),
    Column("sender_name", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False),
    Column("count", Integer, nullable=False, server_default="1"),
    Column("first_at", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
    UniqueConstraint("kind", "front", "chat_id", "sender_id", "reason"),
)
