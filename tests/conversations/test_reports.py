from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conversations import usage_store
from conversations.reports import list_promises
from core.access import Accounts
from core.message import Chat, Person
from core.protocols import PromiseView
from core.schema import llm_calls, runs
from core.workspaces import Role, Workspace
from tests.conversations.stage import CONFIG, FRONT, GUS, MAX, OLGA, TEAM, Stage

DM_OF = {OLGA.id: Chat(FRONT, "1"), MAX.id: Chat(FRONT, "2")}


async def spend(stage: Stage, who: Person, cost: float | None, workspace: str = "Team", days: float = 0) -> None:
    """One model call that a person's question made."""
    at = stage.clock.now() - timedelta(days=days)
    call = {"started_at": at, "chat": "-10", "requester": str(who.id), "kind": "turn", "model": "m", "cost": cost}
    call |= {"system_chars": 1, "prompt_chars": 1, "calls_last_60s": 0, "outcome": "ok", "tokens_in": 900}
    call |= {"tokens_out": 100, "run": f"run of {workspace}"}
    run = {"id": call["run"], "agent": "a", "workspace": workspace, "status": "done", "started_at": at}

    def write(connection: Any) -> None:
        connection.execute(runs.insert().prefix_with("OR IGNORE"), run)
        connection.execute(llm_calls.insert(), call)

    await stage.database.write("spend", write)


async def ask(stage: Stage, who: Person, text: str, chat: Chat = TEAM) -> str:
    before = len(stage.front.texts(chat.key))
    await stage.say(chat, who, f"@valor_ai {text}" if chat == TEAM else text)
    await stage.quiet()
    return "\n".join(stage.front.texts(chat.key)[before:])


async def test_a9_an_owner_sees_what_everybody_used_and_others_their_own(stage: Stage) -> None:
    await spend(stage, OLGA, 0.5)
    await spend(stage, MAX, 0.25)
    await spend(stage, MAX, None, days=10)
    await spend(stage, MAX, 9.0, days=31)
    await spend(stage, OLGA, 7.0, workspace="Dev")
    await ask(stage, MAX, "/why 1")  # so that his name is known
    told = await ask(stage, OLGA, "/usage")
    assert (
        "Today: 2 calls, 2,000 tokens, $0.7500\n• Olga: 1 call, 1,000 tokens, $0.5000\n• Max: 1 call"
        in told.replace("- ", "• ").replace("⦁", "•")
    )
    assert "Last 30 days: 3 calls, 3,000 tokens, $0.7500 (1 without a known price)" in told
    own = await ask(stage, MAX, "/usage")
    assert "Used in Team, by you alone:" in own
    assert "Today: 1 call, 1,000 tokens, $0.2500" in own
    assert "Olga" not in own
    assert "Today: nothing." in await ask(stage, GUS, "/usage")


async def test_p11_what_a_run_has_cost_is_known_where_prices_are(stage: Stage) -> None:
    await spend(stage, OLGA, None)
    assert await stage.database.read(lambda connection: usage_store.cost_of(connection, "run of Team")) is None
    await spend(stage, OLGA, 0.5)
    assert await stage.database.read(lambda connection: usage_store.cost_of(connection, "run of Team")) == 0.5


async def test_b9_status_says_what_runs_here(stage: Stage) -> None:
    with stage.agent.holding() as release:
        await stage.say(TEAM, OLGA, "@valor_ai work")
        await stage.agent.next_begun()
        await stage.say(TEAM, MAX, "@valor_ai status")
        await stage.front.until(lambda: bool(stage.front.texts("-10")))
        told = stage.front.texts("-10")
        release.set()
    await stage.quiet()
    assert ["I am at Olga's work." in text for text in told] == [True]


async def test_a9_the_workspace_is_told_without_paths_and_its_people_not_to_guests(stage: Stage) -> None:
    team = Workspace(
        "Team",
        Path("/srv/secret/team"),
        front="account",
        network=("pypi.org",),
        consent=frozenset({"run_command"}),
        roles={"olga": Role.OWNER, "max": Role.MEMBER},
        notion_database="hidden",
    )
    stage.config = replace(CONFIG, workspaces=(team, *CONFIG.workspaces[1:]))
    told = await ask(stage, OLGA, "/workspace")
    for part in ("works in Team", "directory: team", "you are: owner", "olga owner, max member", "by: account"):
        assert part in told
    assert "network: pypi.org" in told
    assert "ask first: run_command" in told
    guest = await ask(stage, GUS, "workspace")
    assert "you are: guest" in guest
    for hidden in ("olga", "/srv", "hidden"):
        assert hidden not in guest
        assert hidden not in told or hidden == "olga"


async def test_s6_a_workspace_that_no_front_serves_says_so(stage: Stage) -> None:
    stage.accounts = Accounts(stage.accounts.ids, stage.accounts.usernames)
    assert "nobody, no front is set up" in await ask(stage, OLGA, "/workspace", DM_OF[OLGA.id])


async def test_p1_long_and_absent_promises_are_listed_in_a_line(stage: Stage) -> None:
    now = stage.clock.now()
    view = PromiseView(1, "x" * 200, "code", "pending", None, None, None, now, None)
    assert list_promises([], now) == ""
    assert list_promises([view], now) == f"#1 pending: {'x' * 79}…"


@pytest.mark.parametrize(
    ("known", "line"),
    [
        ({"status": "in_progress", "progress": "2 steps"}, "#1 in_progress (2 steps): count"),
        ({"waiting_for": "dependency"}, "#1 waiting (for what it follows): count"),
        ({"waiting_for": "approval"}, "#1 waiting (to be allowed: /approve 1): count"),
        ({"waiting_for": "directory", "error_message": "Ann writes."}, "#1 waiting (Ann writes.): count"),
        ({"waiting_for": "schedule", "error_message": "No answer."}, "#1 waiting (No answer.): count"),
        (
            {"waiting_for": "schedule", "due_at": datetime(2030, 1, 1, 8, tzinfo=UTC), "zone": "Europe/Berlin"},
            "#1 waiting (until 2030-01-01 09:00 (Europe/Berlin)): count",
        ),
    ],
)
def test_p7_a_list_says_what_is_waited_for(known: dict[str, Any], line: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    view = PromiseView(1, "count", "code", "waiting", None, None, None, now, None)
    assert list_promises([replace(view, **known)], now) == line
