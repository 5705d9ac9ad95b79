"""The first tables."""

import sqlalchemy as sa
from alembic import op

from core.schema import Key, Moment

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_admitted_since()
    create_audit()
    create_chats()
    create_consents()
    create_consents_indexes()
    create_llm_calls()
    create_llm_calls_indexes()
    create_promises()
    create_promises_indexes()
    create_runs()
    create_steps()
    create_turns()
    create_turns_indexes()
    create_deliveries()
    create_deliveries_indexes()
    create_messages()
    create_messages_indexes()
    create_promise_dependencies()
    create_promise_dependencies_indexes()
    create_results()


def create_admitted_since() -> None:
    op.create_table(
        "admitted_since",
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_admitted_since")),
    )


def create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", Key, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("front", sa.Text(), server_default="", nullable=False),
        sa.Column("chat_id", sa.Text(), server_default="", nullable=False),
        sa.Column("sender_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sender_name", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), server_default="1", nullable=False),
        sa.Column("first_at", Moment(), nullable=False),
        sa.Column("last_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sa.UniqueConstraint(
            "kind", "front", "chat_id", "sender_id", "reason", name=op.f("uq_audit_kind_front_chat_id_sender_id_reason")
        ),
    )


def create_chats() -> None:
    op.create_table(
        "chats",
        sa.Column("front", sa.Text(), nullable=False),
        sa.Column("chat_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("mark", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("floor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("stopped_at", Moment(), nullable=True),
        sa.Column("stopped_reason", sa.Text(), nullable=True),
        sa.Column("lifted_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("front", "chat_id", name=op.f("pk_chats")),
    )


def create_consents() -> None:
    op.create_table(
        "consents",
        sa.Column("id", Key, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("promise_id", Key, nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )


def create_consents_indexes() -> None:
    op.create_index("ix_consents_call", "consents", ["run_id", "key", "id"], unique=False)
    op.create_index(op.f("ix_consents_promise_id"), "consents", ["promise_id"], unique=False)


def create_llm_calls() -> None:
    op.create_table(
        "llm_calls",
        sa.Column("number", Key, nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("chat", sa.Text(), nullable=True),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("promise", Key, nullable=True),
        sa.Column("requester", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("system_chars", sa.Integer(), nullable=False),
        sa.Column("prompt_chars", sa.Integer(), nullable=False),
        sa.Column("tokens_in", sa.Integer(), nullable=True),
        sa.Column("tokens_out", sa.Integer(), nullable=True),
        sa.Column("tokens_cached", sa.Integer(), nullable=True),
        sa.Column("wait", sa.Float(), nullable=True),
        sa.Column("duration", sa.Float(), nullable=True),
        sa.Column("calls_last_60s", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error_type", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("cost", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_llm_calls")),
    )


def create_llm_calls_indexes() -> None:
    op.create_index(op.f("ix_llm_calls_run"), "llm_calls", ["run"], unique=False)
    op.create_index(op.f("ix_llm_calls_started_at"), "llm_calls", ["started_at"], unique=False)


def create_promises() -> None:
    op.create_table(
        "promises",
        sa.Column("id", Key, nullable=False),
        sa.Column("chat_id", sa.Text(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("task_description", sa.Text(), nullable=False),
        sa.Column("task_type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("completed_at", Moment(), nullable=True),
        sa.Column("result_summary", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("metadata", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("front", sa.Text(), nullable=False),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("requester_id", sa.BigInteger(), nullable=False),
        sa.Column("requester_name", sa.Text(), server_default="", nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("made_by_run", sa.Text(), nullable=True),
        sa.Column("tool_call_id", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("waiting_for", sa.Text(), nullable=True),
        sa.Column("not_before", Moment(), nullable=True),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("every", sa.Text(), nullable=True),
        sa.Column("zone", sa.Text(), nullable=True),
        sa.Column("former_id", Key, nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("deaths", sa.Integer(), server_default="0", nullable=False),
        sa.Column("epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.Float(), nullable=True),
        sa.Column("started_at", Moment(), nullable=True),
        sa.Column("cancel_requested_at", Moment(), nullable=True),
        sa.Column("cancel_requested_by", sa.Text(), nullable=True),
        sa.Column("progress", sa.Text(), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=True),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.CheckConstraint(
            "status IN ('pending', 'in_progress', 'completed', 'failed', 'waiting', 'cancelled')",
            name=op.f("ck_promises_known_status"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promises")),
        sa.UniqueConstraint("former_id", name=op.f("uq_promises_former_id")),
        sa.UniqueConstraint("made_by_run", "tool_call_id", name=op.f("uq_promises_made_by_run_tool_call_id")),
        sqlite_autoincrement=True,
    )


def create_promises_indexes() -> None:
    op.create_index("ix_promises_chat", "promises", ["front", "chat_id", "id"], unique=False)
    op.create_index(
        "ix_promises_claimable",
        "promises",
        ["priority", "id"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_promises_held", "promises", ["owner"], unique=False, sqlite_where=sa.text("status = 'in_progress'")
    )
    op.create_index("ix_promises_status", "promises", ["status", "completed_at"], unique=False)
    op.create_index("ix_promises_updated_at", "promises", ["updated_at"], unique=False)
    op.create_index(
        "ix_promises_waiting", "promises", ["not_before"], unique=False, sqlite_where=sa.text("status = 'waiting'")
    )
    op.create_index("ix_promises_workspace", "promises", ["workspace", "id"], unique=False)


def create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("turn_id", Key, nullable=True),
        sa.Column("promise_id", Key, nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )


def create_steps() -> None:
    op.create_table(
        "steps",
        sa.Column("id", Key, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column("request", sa.JSON(), nullable=True),
        sa.Column("response", sa.JSON(), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=True),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_steps")),
        sa.UniqueConstraint("run_id", "key", name=op.f("uq_steps_run_id_key")),
    )


def create_turns() -> None:
    op.create_table(
        "turns",
        sa.Column("id", Key, nullable=False),
        sa.Column("front", sa.Text(), nullable=False),
        sa.Column("chat_id", sa.Text(), nullable=False),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="agent", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("requester_id", sa.BigInteger(), nullable=False),
        sa.Column("requester_name", sa.Text(), server_default="", nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("reply_to", sa.BigInteger(), nullable=False),
        sa.Column("joinable", sa.Boolean(), server_default=sa.text("1"), nullable=False),
        sa.Column("joined", sa.Integer(), server_default="1", nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("started_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("stop_requested_by", sa.Text(), nullable=True),
        sa.Column("error_id", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status IN ('open', 'running', 'done', 'failed', 'stopped', 'aside')", name=op.f("ck_turns_known_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_turns")),
        sqlite_autoincrement=True,
    )


def create_turns_indexes() -> None:
    op.create_index(
        "ix_turns_open", "turns", ["front", "chat_id", "id"], unique=False, sqlite_where=sa.text("status = 'open'")
    )
    op.create_index("ix_turns_recent", "turns", ["front", "chat_id", "created_at"], unique=False)
    op.create_index(
        "ix_turns_unfinished", "turns", ["status"], unique=False, sqlite_where=sa.text("status IN ('open', 'running')")
    )
    op.create_index(
        "uq_turns_running",
        "turns",
        ["front", "chat_id"],
        unique=True,
        sqlite_where=sa.text("status = 'running' AND kind = 'agent'"),
    )


def create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", Key, nullable=False),
        sa.Column("front", sa.Text(), nullable=False),
        sa.Column("chat_id", sa.Text(), nullable=False),
        sa.Column("reply_to", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), server_default="0", nullable=False),
        sa.Column("turn_id", Key, nullable=True),
        sa.Column("promise_id", Key, nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("entities", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("former", sa.JSON(), nullable=True),
        sa.Column("random_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", Moment(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("sent_at", Moment(), nullable=True),
        sa.CheckConstraint(
            "status IN ('held', 'open', 'ready', 'sent', 'ambiguous', 'dead', 'dropped')",
            name=op.f("ck_deliveries_known_status"),
        ),
        sa.ForeignKeyConstraint(["promise_id"], ["promises.id"], name=op.f("fk_deliveries_promise_id")),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name=op.f("fk_deliveries_turn_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("promise_id", "kind", "part", name=op.f("uq_deliveries_promise_id_kind_part")),
        sa.UniqueConstraint("random_id", name=op.f("uq_deliveries_random_id")),
    )


def create_deliveries_indexes() -> None:
    op.create_index("ix_deliveries_chat", "deliveries", ["front", "chat_id", "id"], unique=False)
    op.create_index(
        "ix_deliveries_held", "deliveries", ["turn_id"], unique=False, sqlite_where=sa.text("status = 'held'")
    )
    op.create_index(
        "ix_deliveries_owed",
        "deliveries",
        ["status", "front", "chat_id", "id"],
        unique=False,
        sqlite_where=sa.text("status IN ('held', 'open', 'ready')"),
    )
    op.create_index("ix_deliveries_turn_id", "deliveries", ["turn_id"], unique=False)
    op.create_index("uq_deliveries_message", "deliveries", ["front", "chat_id", "message_id"], unique=True)
    op.create_index(
        "uq_deliveries_turn",
        "deliveries",
        ["turn_id", "kind", "part"],
        unique=True,
        sqlite_where=sa.text("kind <> 'ack'"),
    )


def create_messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", Key, nullable=False),
        sa.Column("front", sa.Text(), nullable=False),
        sa.Column("chat_id", sa.Text(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("inbound_key", sa.Text(), nullable=True),
        sa.Column("workspace", sa.Text(), nullable=True),
        sa.Column("sender_id", sa.BigInteger(), nullable=False),
        sa.Column("sender_username", sa.Text(), nullable=True),
        sa.Column("sender_name", sa.Text(), server_default="", nullable=False),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("sent_at", Moment(), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.Column("edited_at", Moment(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("reply_to", sa.BigInteger(), nullable=True),
        sa.Column("answer", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("turn_id", Key, nullable=True),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name=op.f("fk_messages_turn_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("front", "chat_id", "message_id", name=op.f("uq_messages_front_chat_id_message_id")),
    )


def create_messages_indexes() -> None:
    op.create_index(
        "ix_messages_turn_id", "messages", ["turn_id"], unique=False, sqlite_where=sa.text("turn_id IS NOT NULL")
    )
    op.create_index("uq_messages_inbound_key", "messages", ["front", "chat_id", "inbound_key"], unique=True)


def create_promise_dependencies() -> None:
    op.create_table(
        "promise_dependencies",
        sa.Column("promise_id", Key, nullable=False),
        sa.Column("after_id", Key, nullable=False),
        sa.ForeignKeyConstraint(["after_id"], ["promises.id"], name=op.f("fk_promise_dependencies_after_id")),
        sa.ForeignKeyConstraint(
            ["promise_id"], ["promises.id"], name=op.f("fk_promise_dependencies_promise_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("promise_id", "after_id", name=op.f("pk_promise_dependencies")),
    )


def create_promise_dependencies_indexes() -> None:
    op.create_index(op.f("ix_promise_dependencies_after_id"), "promise_dependencies", ["after_id"], unique=False)


def create_results() -> None:
    op.create_table(
        "results",
        sa.Column("promise_id", Key, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["promise_id"], ["promises.id"], name=op.f("fk_results_promise_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("promise_id", name=op.f("pk_results")),
    )
