from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conversations import knock_store
from conversations.buttons import OWNERS_ONLY
from conversations.pairing import ASKED_A_DAY, WRONG_CODES
from core.access import Accounts, Reason
from core.message import PAGE, Chat, ChatKind, Message, Person
from core.pairing_code import make_code
from core.workspace_change import Document
from core.workspaces import Listed, Role, Whitelist, WorkspaceConfig
from integrations.memory import OWN
from tests.conversations.stage import GUS, MAX, STRANGER, Stage

BOT = Person(55, "valor_bot", "Valor", is_bot=True)
FRONT = f"bot:{BOT.id}"
ANNA = Person(4, "anna", "Anna_*")


@pytest.fixture
def bot(tmp_path: Path, stage: Stage) -> Stage:
    """An installation with a bot and without any configuration."""
    stage.config = WorkspaceConfig(tmp_path)
    stage.accounts = Accounts.of(None, BOT)
    stage.front.name = FRONT
    stage.attach(stage.front)
    return stage


def heard(stage: Stage, who: Person, text: str, chat: Chat | None = None) -> Message:
    chat = chat or Chat(FRONT, str(who.id))
    if chat.key.startswith("-"):
        return replace(stage.front.say(chat.key, who, text), chat=chat, title="The *Team*")
    kind = ChatKind.LOCAL if chat == PAGE else ChatKind.DM
    return replace(stage.front.say(chat.key, who, text), chat=chat, kind=kind)


async def say(stage: Stage, who: Person, text: str, chat: Chat | None = None) -> None:
    await stage.reception.receive(heard(stage, who, text, chat))
    await stage.quiet()


async def pair(stage: Stage) -> None:
    code = make_code(stage.folder / "pairing.json", stage.clock.now())
    await say(stage, ANNA, f"/start {code}")


def listed(stage: Stage) -> dict[str, Any]:
    path = stage.folder / "config.json"
    return json.loads(path.read_text())["dm_whitelist"]["allowed_user_ids"] if path.exists() else {}


@pytest.mark.parametrize("form", ["/start {}", "{}", " {} "])
async def test_a9_who_shows_the_code_is_the_owner_and_greeted(bot: Stage, form: str) -> None:
    code = make_code(bot.folder / "pairing.json", bot.clock.now())
    await say(bot, STRANGER, "hello")
    await say(bot, ANNA, form.format(code))
    assert listed(bot) == {"4": {"description": "Anna_* (@anna)", "role": "owner"}}
    (turn,) = await bot.rows("turns")
    assert (turn.requester_id, turn.role, turn.kind) == (4, "owner", "command")
    (greeting,) = bot.front.texts("4")
    assert (greeting.startswith("Hello Anna"), bot.agent.asked) == (True, [])
    await say(bot, STRANGER, f"/start {code}")
    assert list(listed(bot)) == ["4"]


@pytest.mark.parametrize("form", ["/start {}", "{}"])
async def test_a1_a_code_that_waited_while_nobody_listened_counts(bot: Stage, form: str) -> None:
    code = make_code(bot.folder / "pairing.json", bot.clock.now())
    await bot.reception.receive_waiting([heard(bot, ANNA, form.format(code))])
    await bot.quiet()
    assert list(listed(bot)) == ["4"]
    assert (len(bot.front.texts("4")), bot.agent.asked) == (1, [])


async def test_a9_of_two_who_show_the_code_at_once_one_is_the_owner(bot: Stage) -> None:
    code = make_code(bot.folder / "pairing.json", bot.clock.now())
    said = [heard(bot, who, code) for who in (ANNA, STRANGER, ANNA)]
    await asyncio.gather(*(bot.reception.receive(message) for message in said))
    await bot.quiet()
    ((first, entry),) = listed(bot).items()
    (other,) = {str(ANNA.id), str(STRANGER.id)} - {first}
    assert (entry["role"], bot.front.texts(other), bot.agent.asked) == ("owner", [], [])
    assert [str(row.person_id) for row in await bot.rows("knocks")] == [other]


async def test_a9_a_code_that_comes_again_after_a_crash_is_no_question_to_an_agent(bot: Stage) -> None:
    code = make_code(bot.folder / "pairing.json", bot.clock.now())
    message = heard(bot, ANNA, code)
    assert await bot.pairing.meet(message, Reason.NOT_LISTED)  # and then the process died
    await bot.reception.receive(message)
    await bot.quiet()
    assert bot.front.texts("4")[0].startswith("Hello Anna")
    assert bot.agent.asked == []


async def test_a1_wrong_and_late_codes_admit_nobody_in_silence(bot: Stage) -> None:
    code = make_code(bot.folder / "pairing.json", bot.clock.now())
    for said in ("/start", "/start x", code[:-1], code.swapcase(), f"{code} {code}"):
        await say(bot, ANNA, said)
    group = Chat(FRONT, "-7")
    await say(bot, ANNA, f"/start {code}", group)
    bot.clock.advance(3_601)
    await say(bot, ANNA, code)
    assert (listed(bot), bot.front.texts("4"), bot.front.texts("-7")) == ({}, [], [])


async def test_a1_guessing_is_held_up_for_who_guesses_alone(bot: Stage) -> None:
    code = make_code(bot.folder / "pairing.json", bot.clock.now())
    for number in range(WRONG_CODES):
        await say(bot, STRANGER, f"guess {number}")
    await say(bot, STRANGER, code)
    assert listed(bot) == {}
    await say(bot, ANNA, code)
    assert list(listed(bot)) == ["4"]


async def test_a1_who_guessed_is_listened_to_again_after_a_while(bot: Stage) -> None:
    code = make_code(bot.folder / "pairing.json", bot.clock.now())
    for number in range(WRONG_CODES):
        await say(bot, ANNA, f"guess {number}")
    bot.clock.advance(601)
    await say(bot, ANNA, code)
    assert list(listed(bot)) == ["4"]


async def test_a1_another_front_s_people_pair_with_nothing(bot: Stage) -> None:
    code = make_code(bot.folder / "pairing.json", bot.clock.now())
    await say(bot, ANNA, code, Chat("account:100", "4"))
    assert listed(bot) == {}


async def test_a7_the_owner_is_asked_once_about_a_stranger_who_meets_silence(bot: Stage) -> None:
    await pair(bot)
    for _ in range(3):
        await say(bot, STRANGER, "let me in")
    assert bot.front.texts("9") == []
    (question,) = bot.front.texts("4")[1:]
    assert question == "Nobody (@nobody) (9) wrote to me and is not admitted. Shall I answer? /admit 1 or /deny 1."
    (row,) = [row for row in await bot.rows("deliveries") if row.buttons]
    assert row.buttons == [["✅ Admit", "/admit 1"], ["🚫 Ignore", "/deny 1"]]


async def test_a2_whom_the_owner_admits_is_a_member_from_then_on(bot: Stage) -> None:
    await pair(bot)
    await say(bot, STRANGER, "let me in")
    for _ in range(2):
        await say(bot, ANNA, "/admit 1")
    assert listed(bot)["9"] == {"description": "Nobody (@nobody)", "role": "member"}
    assert bot.front.texts("4")[-2:] == 2 * ["Nobody (@nobody) is admitted."]
    assert bot.front.texts("9") == ["You may write to me now. /help says what I can do."]
    await say(bot, STRANGER, "hello")
    assert bot.front.texts("9")[1:] == ["re: hello"]
    await say(bot, STRANGER, "/admit 1")
    assert "Only an owner of the installation may decide who is let in: ask one." in bot.front.texts("9")[-1]
    await say(bot, ANNA, "/deny 1")
    assert "is admitted already, by Anna" in bot.front.texts("4")[-1]


async def test_a3_a_group_that_is_admitted_has_a_workspace_of_its_own(bot: Stage) -> None:
    await pair(bot)
    group = Chat(FRONT, "-1007")
    await say(bot, STRANGER, "hi all", group)
    assert "The group The *Team* (-1007) wrote to me" in bot.front.texts("4")[-1]
    await say(bot, ANNA, "/admit 1")
    assert bot.config.groups == {"-1007": "The *Team*"}
    assert bot.front.texts("-1007") == ["I answer here now when I am mentioned."]
    await say(bot, ANNA, "@valor_bot hello", group)
    assert bot.front.texts("-1007")[-1] == "re: hello"


async def test_a3_a_group_that_the_bot_lets_in_is_answered_by_the_bot_beside_an_account_too(bot: Stage) -> None:
    bot.accounts = Accounts.of(OWN, BOT)
    await pair(bot)
    group = Chat(FRONT, "-1007")
    await say(bot, STRANGER, "hi all", group)
    await say(bot, ANNA, "/admit 1")
    await say(bot, ANNA, "@valor_bot hello", group)
    assert bot.front.texts("-1007") == ["I answer here now when I am mentioned.", "re: hello"]


async def test_a3_a_group_that_telegram_allowed_groups_leaves_out_is_not_let_in_and_the_owner_told_why(
    bot: Stage,
) -> None:
    bot.allowed = ("-5",)
    await pair(bot)
    await say(bot, STRANGER, "hi all", Chat(FRONT, "-1007"))
    before = (bot.folder / "config.json").read_text()
    await say(bot, ANNA, "/admit 1")
    assert "TELEGRAM_ALLOWED_GROUPS leaves that group out" in bot.front.texts("4")[-1]
    assert "has to add -1007 to it in .env and start Valor again; then send /admit 1" in bot.front.texts("4")[-1]
    assert (bot.front.texts("-1007"), (bot.folder / "config.json").read_text()) == ([], before)
    bot.allowed = ("-5", "-1007")
    await say(bot, ANNA, "/admit 1")
    assert bot.front.texts("-1007") == ["I answer here now when I am mentioned."]


async def test_a3_a_group_that_the_account_serves_by_now_gets_no_false_welcome(bot: Stage) -> None:
    bot.accounts = Accounts.of(OWN, BOT)
    await pair(bot)
    await say(bot, STRANGER, "hi all", Chat(FRONT, "-1007"))

    def by_hand(document: Document) -> None:
        document["workspaces"] = {"Team": {"telegram_chat_ids": ["-1007"]}}

    await bot.change(by_hand, lambda _: None)
    await say(bot, ANNA, "/admit 1")
    assert "belongs to the workspace Team already, and the account answers there" in bot.front.texts("4")[-1]
    assert bot.front.texts("-1007") == []


async def test_a9_who_owns_one_workspace_lets_nobody_into_the_installation(bot: Stage) -> None:
    await pair(bot)
    await say(bot, MAX, "let me in")
    group = Chat(FRONT, "-1008")

    def found(document: Document) -> None:
        own = {"telegram_chat_ids": ["-1008"], "front": "bot", "is_dev_group": True, "roles": {"9": "owner"}}
        document["workspaces"] = {"Theirs": own}

    await bot.change(found, lambda _: None)
    for word in ("admit", "deny"):
        await say(bot, STRANGER, f"/{word} 1", group)
        assert "Only an owner of the installation may decide who is let in" in bot.front.texts("-1008")[-1]
        pressed = replace(heard(bot, STRANGER, f"/{word} 1", group), id=-len(word), reply_to=1, pressed=word)
        assert await bot.reception.press(pressed) == OWNERS_ONLY
    assert [row.decision for row in await bot.rows("knocks")] == [None]
    await say(bot, ANNA, "/admit 1", group)
    assert bot.front.texts("-1008")[-1] == "Max (@max) is admitted."


async def test_a7_an_owner_who_writes_on_another_front_is_asked_there_and_else_at_the_page(bot: Stage) -> None:
    bot.config = replace(bot.config, whitelist=Whitelist((Listed(id=ANNA.id, role=Role.OWNER),)))
    await say(bot, STRANGER, "let me in")
    await say(bot, ANNA, "hello", Chat("account:100", "4"))
    await say(bot, MAX, "me too")
    await say(bot, ANNA, "hello")
    await say(bot, ANNA, "once more", Chat("account:100", "4"))
    await say(bot, GUS, "and me")
    asked = [row for row in await bot.rows("deliveries") if "Shall I answer?" in row.text]
    assert [(row.front, row.chat_id) for row in asked] == [PAGE, ("account:100", "4"), (FRONT, "4")]
    assert "`/admit 1` or `/deny 1`" in asked[0].text
    await say(bot, STRANGER, "/admit 1", PAGE)
    assert [(row.decision, row.decided_by) for row in await bot.rows("knocks", id=1)] == [("admitted", "Nobody")]


async def test_a7_the_owner_is_not_asked_by_a_front_that_is_lost(bot: Stage) -> None:
    bot.config = replace(bot.config, whitelist=Whitelist((Listed(id=ANNA.id, role=Role.OWNER),)))
    await say(bot, ANNA, "hello", Chat("account:100", "4"))
    bot.silence.begin("account")
    await say(bot, STRANGER, "let me in")
    assert [Chat(row.front, row.chat_id) for row in await bot.rows("deliveries", kind="notice")] == [PAGE]


async def test_a7_who_is_denied_is_not_asked_about_again(bot: Stage) -> None:
    await pair(bot)
    await say(bot, STRANGER, "let me in")
    await say(bot, ANNA, "/deny 1")
    await say(bot, STRANGER, "please")
    assert list(listed(bot)) == ["4"]
    assert len(bot.front.texts("4")) == 3
    assert bot.front.texts("9") == []


async def test_a7_the_owner_may_think_better_of_whom_they_denied(bot: Stage) -> None:
    await pair(bot)
    await say(bot, STRANGER, "let me in")
    await say(bot, ANNA, "/deny 1")
    assert bot.front.texts("4")[-1] == "Nobody (@nobody) is denied. /admit 1 lets them in after all."
    await say(bot, ANNA, "/admit 1")
    assert bot.front.texts("4")[-1] == "Nobody (@nobody) is admitted."
    assert (listed(bot)["9"]["role"], len(bot.front.texts("9"))) == ("member", 1)
    assert [(row.decision, row.decided_by) for row in await bot.rows("knocks")] == [("admitted", "Anna_*")]
    await say(bot, ANNA, "/deny 1")
    assert "take their entry out of config/workspace_config.json" in bot.front.texts("4")[-1]
    assert "9" in listed(bot)


async def test_a7_a_crowd_of_strangers_is_asked_about_ten_times_a_day(bot: Stage) -> None:
    await pair(bot)
    for number in range(100, 103 + ASKED_A_DAY):
        await say(bot, Person(number, None, "Crowd"), "hi")
    assert len(bot.front.texts("4")) == 1 + ASKED_A_DAY


async def test_bad_input_an_admission_of_nobody(bot: Stage) -> None:
    await pair(bot)
    for said in ("/admit", "/admit 7", "/deny x"):
        await say(bot, ANNA, said)
        assert "Nobody with that number has asked to be let in" in bot.front.texts("4")[-1]


async def test_a2_a_crash_between_the_file_and_the_row_changes_nothing_twice(bot: Stage) -> None:
    await pair(bot)
    await say(bot, STRANGER, "let me in")
    knock = await bot.database.read(lambda connection: knock_store.find(connection, 1))
    assert knock is not None
    await bot.pairing._admit(knock)  # and then the process died
    await say(bot, ANNA, "/admit 1")
    assert len(listed(bot)) == 2
    assert len(bot.front.texts("9")) == 1


@pytest.mark.parametrize("form", ["/start {}", "{}"])
async def test_a9_who_forwards_the_code_is_greeted_as_well(bot: Stage, form: str) -> None:
    """From their own saved messages, say."""
    code = make_code(bot.folder / "pairing.json", bot.clock.now())
    await bot.reception.receive(replace(heard(bot, ANNA, form.format(code)), forwarded_from="Anna"))
    await bot.quiet()
    assert (bot.agent.asked, bot.front.texts("4")[0][:10]) == ([], "Hello Anna")


async def test_a9_an_owner_who_is_listed_by_another_username_admits_and_is_told(bot: Stage) -> None:
    owners = Whitelist((Listed("anna_second", role=Role.OWNER),))
    bot.config = WorkspaceConfig(bot.folder, whitelist=owners)
    owner = replace(ANNA, more_usernames=("Anna_Second",))
    await say(bot, owner, "hello")
    await say(bot, STRANGER, "hello")
    assert "is not admitted. Shall I answer?" in bot.front.texts("4")[-1]
    await say(bot, owner, "/admit 1")
    assert bot.front.texts("4")[-1] == "Nobody (@nobody) is admitted."
