from __future__ import annotations

import pytest

from conversations.command_answers import HELP
from conversations.commands import MENU, Command, read_command
from conversations.lifting import NOT_YOURS
from conversations.turn import Turn
from conversations.turns import Gate
from core.message import Chat
from core.protocols import Call
from tests.conversations.stage import DM, FRONT, MAX, OLGA, Stage, make_promise


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("ping", Command("ping")),
        (" Ping! ", Command("ping")),
        ("/ping@valor_ai", Command("ping")),
        ("stop.", Command("stop")),
        ("stop the music", None),
        ("/promise count\nthe stars", Command("promise", "count\nthe stars")),
        ("cancel 7", Command("cancel", "7")),
        ("cancel promise #7", Command("cancel", "promise #7")),
        ("cancel", Command("cancel")),
        ("cancel my trip", None),
        ("cancel 99999999999999999999", None),
        ("/approve 7", Command("approve", "7")),
        ("refuse 7", Command("refuse", "7")),
        ("refuse to go", None),
        ("retry #7", Command("retry", "#7")),
        ("retry the build", None),
        ("/unknown", None),
        ("help me", None),
        ("/help", Command("help")),
        ("/start", Command("start")),
        ("/start abc", Command("start", "abc")),
        ("start", None),
        ("status", Command("status")),
        ("Usage.", Command("usage")),
        ("workspace", Command("workspace")),
        ("workspace of the team", None),
        ("", None),
    ],
)
def test_b9_words_that_are_commands(text: str, command: Command | None) -> None:
    assert read_command(text) == command


def test_b9_every_word_of_the_menu_is_a_command() -> None:
    assert [name for name, _ in MENU if read_command(f"/{name}@valor_bot 7") is None] == []
    wanted = "start help status promises promise cancel retry stop why usage link workspace"
    assert [name for name, _ in MENU] == wanted.split()
    assert [name for name, _ in MENU if name not in {"start", "help"} and f"/{name}" not in HELP] == []


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("ping", "pong: all is well"),
        ("/help", "I answer here, and take on long jobs as promises."),
        ("promises", "#7 pending: count the stars"),
        ("cancel 7", "Promise #7 is cancelled."),
        ("/cancel #8", "Promise #8 is being cancelled."),
        ("/approve 7", "Promise #7 goes on: what it asked for is allowed, this once."),
        ("refuse #7", "Promise #7 is failed: what it asked for is refused."),
        ("/retry 7", "Promise #7 is taken up again."),
        ("approve", "Say which promise: /approve NUMBER, or reply approve to its message. (E-"),
        ("cancel", "Say which promise: /cancel NUMBER, or reply cancel to its message. (E-"),
        ("/why", "Say which message: reply /why to it, or give its number. (E-"),
        ("/why 99", "No message 99 of this chat is stored. (E-"),
        ("lift", "I had not stopped answering in 1."),
        ("/self-ping abc", "abc"),
        ("/start", "Hello Olga. I am Valor"),
        ("status", "pong: all is well\n\nNothing is running in this chat.\n\nOpen promises:\n#7 pending"),
    ],
)
async def test_b9_commands_are_answered_without_a_model(stage: Stage, text: str, answer: str) -> None:
    await stage.say(DM, OLGA, text)
    await stage.quiet()
    assert stage.front.texts("1")[0].startswith(answer)
    assert stage.agent.asked == []


async def test_b9_ping_waits_for_no_turn(stage: Stage) -> None:
    with stage.agent.holding():
        await stage.say(DM, OLGA, "work")
        await stage.agent.next_begun()
        await stage.say(DM, OLGA, "ping")
        await stage.front.until(lambda: bool(stage.front.texts("1")))
        assert stage.front.texts("1") == ["pong: all is well"]


async def test_p5_cancel_as_a_reply_means_that_promise(stage: Stage) -> None:
    await stage.say(DM, OLGA, "/promise count")
    await stage.quiet()
    for replied in (stage.front.told("1")[0].id, 1):
        await stage.say(DM, OLGA, "cancel", reply_to=replied)
        await stage.quiet()
    assert stage.front.texts("1")[1] == "Promise #1 is being cancelled."
    assert stage.front.texts("1")[2].startswith("Say which promise")


async def test_p5_cancel_as_a_reply_to_what_speaks_of_several_asks_which(stage: Stage) -> None:
    async def promise(turn: Turn, gate: Gate) -> str:
        await gate()
        for number in range(2):
            await make_promise(
                stage.database, stage.clock, turn.asker, f"task {number}", Call(turn.run_id, str(number), turn.id)
            )
        return "Two things. " + "x " * 3000

    stage.agent.scripts["do both"] = promise
    await stage.say(DM, OLGA, "do both")
    await stage.quiet()
    for told in stage.front.told("1"):
        await stage.say(DM, OLGA, "cancel", reply_to=told.id)
        await stage.quiet()
    assert len(stage.front.texts("1")) == 4
    for answer in stage.front.texts("1")[2:]:
        assert answer.startswith("That message speaks of #1 and #2. Say which promise: /cancel NUMBER. (E-")


async def test_a8_why_as_a_reply(stage: Stage) -> None:
    asked = await stage.say(DM, OLGA, "hello")
    await stage.quiet()
    await stage.say(DM, OLGA, "/why", reply_to=asked.id)
    await stage.quiet()
    assert stage.front.texts("1")[1].startswith("Message 1 by Olga was answered: direct message")


async def test_a9_only_an_owner_lifts(stage: Stage) -> None:
    await stage.say(Chat(FRONT, "2"), MAX, "/lift 1")
    await stage.quiet()
    assert stage.front.texts("2")[0].startswith(f"{NOT_YOURS.format(key=1)} (E-")
