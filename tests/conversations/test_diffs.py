"""What changed in files, as a chat is shown it (`/diff`)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert

from conversations.diffs import COMMANDS, MEMBERS_ONLY, NOTHING, UNCHANGED, WANTED
from conversations.turn import Turn
from conversations.turns import Gate
from core.message import Button, Chat
from core.schema import consents, runs, steps
from tests.conversations.bot import as_bot
from tests.conversations.stage import DEV, GUS, MAX, OLGA, Stage, make_promise

CHANGED = {"kind": "file", "path": "a", "before": None, "after": "x", "diff": "--- /dev/null\n+++ b/a\n+```x"}
SHOWN = "--- /dev/null\n+++ b/a\n+'''x"
RAN = {"kind": "command", "command": "make", "exit_code": 0}


async def work(stage: Stage, run: str, *seen: dict[str, Any], workspace: str = "Dev") -> None:
    """A run whose tools were seen to do this."""
    now = stage.clock.now()
    begun = insert(runs).values(id=run, agent="v", workspace=workspace, status="done", started_at=now)
    done = {"run_id": run, "kind": "tool", "name": "t", "status": "done", "started_at": now}
    step = [{**done, "key": f"{run} {number}", "evidence": [item]} for number, item in enumerate(seen)]
    await stage.database.write("run", lambda connection: connection.execute(begun))
    if step:
        await stage.database.write("steps", lambda connection: connection.execute(insert(steps), step))


async def ask(stage: Stage, run: str, tool: str, text: str) -> None:
    """The run waits to be allowed this."""
    now = stage.clock.now()
    row = {"run_id": run, "key": "1:c", "promise_id": 1, "tool": tool, "arguments": {"text": text}, "digest": "d"}
    asked = insert(consents).values(**row, asked_at=now, expires_at=now)
    await stage.database.write("ask", lambda connection: connection.execute(asked))


async def promised(stage: Stage) -> str:
    """A promise in the dev group; its run."""
    await stage.say(DEV, MAX, "hello")
    await stage.quiet()
    turn = stage.agent.asked[0][0]
    number = await make_promise(stage.database, stage.clock, turn.asker, "task", None)
    return (await stage.rows("promises", id=number))[0].run_id


async def tells(stage: Stage, words: str, chat: Chat = DEV, who: Any = MAX) -> str:
    await stage.say(chat, who, words)
    await stage.quiet()
    return stage.front.texts(chat.key)[-1]


async def test_p10_what_a_promise_changed_is_shown_as_its_tools_did_it(stage: Stage) -> None:
    await work(stage, await promised(stage), CHANGED, RAN, CHANGED | {"diff": "+second"}, CHANGED | {"diff": ""})
    assert await tells(stage, "/diff 1") == f"{SHOWN}\n\n+second\n\n{COMMANDS}"


async def test_p10_work_that_changed_no_file_says_so(stage: Stage) -> None:
    await work(stage, await promised(stage), {"kind": "source", "url": "u"})
    assert await tells(stage, "/diff #1") == NOTHING


async def test_p11_what_waits_to_be_allowed_is_shown_before_it_is_done(stage: Stage) -> None:
    run = await promised(stage)
    await work(stage, run)
    await ask(stage, run, "write_file", "new")
    assert await tells(stage, "/diff 1") == f"{WANTED}\n\n+Dev write_file new"
    await stage.put("consents", decision="granted")
    assert await tells(stage, "/diff 1") == NOTHING
    await stage.put("consents", decision=None, arguments={"text": ""})
    assert await tells(stage, "/diff 1") == UNCHANGED
    await stage.put("consents", tool="send_mail")
    assert await tells(stage, "/diff 1") == NOTHING


async def test_p11_what_was_done_stands_above_what_waits(stage: Stage) -> None:
    run = await promised(stage)
    await work(stage, run, CHANGED)
    await ask(stage, run, "edit_file", "new")
    assert await tells(stage, "/diff 1") == f"{SHOWN}\n\n{WANTED}\n\n+Dev edit_file new"


async def test_p10_a_reply_means_the_promise_of_the_message(stage: Stage) -> None:
    await work(stage, await promised(stage), CHANGED)
    stage.outbox.wake()
    await stage.quiet()
    await stage.say(DEV, MAX, "/diff", stage.front.told(DEV.key)[-1].id)
    await stage.quiet()
    assert stage.front.texts(DEV.key)[-1] == SHOWN
    assert "Say which promise: /diff NUMBER" in await tells(stage, "/diff")


async def test_w3_another_workspace_s_work_is_not_shown(stage: Stage) -> None:
    await work(stage, "run_other", CHANGED, workspace="Team")
    assert "There is no run 'run_other' in Dev" in await tells(stage, "/diff run_other")
    assert "There is no run 'x'" in await tells(stage, "/diff x")


async def test_a9_guests_are_shown_no_files(stage: Stage) -> None:
    await work(stage, await promised(stage), CHANGED)
    assert (await tells(stage, "/diff 1", who=GUS)).startswith(MEMBERS_ONLY.rstrip("."))


@pytest.mark.parametrize(("seen", "offers"), [(CHANGED, True), (RAN, False), (CHANGED | {"diff": ""}, False)])
async def test_p10_an_answer_of_work_that_changed_files_offers_the_diff(
    stage: Stage, seen: dict[str, Any], offers: bool
) -> None:
    async def does(turn: Turn, gate: Gate) -> str:
        await work(stage, turn.run_id, seen, workspace=turn.workspace)
        return "Done."

    chat, stage.agent.script = as_bot(stage), does
    await stage.say(chat, OLGA, "do it")
    await stage.quiet()
    (line,) = stage.front.told("1")
    assert line.buttons == ((Button("Show diff", "/diff turn:1"),) if offers else ())
    if offers:
        assert await tells(stage, "/diff turn:1", chat, OLGA) == SHOWN
