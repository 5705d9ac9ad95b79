from __future__ import annotations

from dataclasses import replace

from conversations.history import Context, History, write_prompt
from core.message import Chat, Person
from core.protocols import Said
from integrations.memory import OWN
from tests.conversations.stage import CONFIG, DEV, DM, FRONT, MAX, OLGA, TEAM, Stage


async def test_b7_the_context_is_this_chat_s_and_the_current_message_once(stage: Stage) -> None:
    await stage.say(DEV, OLGA, "elsewhere: the secret word is swordfish")
    await stage.say(DM, OLGA, "first")
    await stage.quiet()
    await stage.say(DM, OLGA, "second")
    await stage.quiet()
    prompt = stage.agent.asked[-1][1]
    assert prompt == "Earlier in this chat:\n> Olga: first\n> Valor: re: first\n\nNow:\nsecond"


async def test_b7_the_reply_chain_is_followed_back_and_not_shown_twice(stage: Stage) -> None:
    first = await stage.say(TEAM, MAX, "the plan\nhas two lines")
    second = await stage.say(TEAM, OLGA, "I like it", reply_to=first.id)
    await stage.say(TEAM, MAX, "unrelated")
    await stage.say(TEAM, OLGA, "@valor_ai what do you think?", reply_to=second.id)
    await stage.quiet()
    assert stage.agent.asked[-1][1] == (
        "Earlier in this chat:\n> Max: unrelated\n\n"
        "They reply to:\n> Max: the plan\n> has two lines\n> Olga: I like it\n\n"
        "Now:\nwhat do you think?"
    )


async def test_b7_a_reply_to_us_and_to_something_unknown(stage: Stage) -> None:
    await stage.say(TEAM, OLGA, "@valor_ai hello")
    await stage.quiet()
    await stage.say(TEAM, OLGA, "and?", reply_to=stage.front.told("-10")[0].id)
    await stage.say(DM, OLGA, "what of it?", reply_to=77)
    await stage.quiet()
    prompts = {turn.chat: prompt for turn, prompt in stage.agent.asked[1:]}
    assert prompts[TEAM].endswith("They reply to:\n> Olga: @valor_ai hello\n> Valor: re: hello\n\nNow:\nand?")
    assert prompts[DM] == "what of it?"


async def test_b7_the_past_is_bounded_by_tokens_the_newest_first(stage: Stage) -> None:
    small = History(stage.database, 50, 20)
    for text in ("a" * 30, "b" * 20, "c" * 20):
        await stage.say(TEAM, OLGA, text)
    await stage.say(TEAM, OLGA, "@valor_ai now")
    await stage.quiet()
    turn = stage.agent.asked[-1][0]
    assert [said.text[0] for said in (await small.context(turn)).recent] == ["b", "c"]
    chained = replace(turn, asked=(replace(turn.asked[0], reply_to=1),))
    context = await small.context(chained)
    assert [said.text[0] for said in context.chain + context.recent] == ["a", "c"]


async def test_b7_what_others_say_between_two_joined_questions_is_context(stage: Stage) -> None:
    for person, text in ((OLGA, "@valor_ai one"), (MAX, "by the way"), (OLGA, "@valor_ai two")):
        stage.front.say("-10", person, text)
    await stage.reception.catch_up(FRONT)
    await stage.quiet()
    assert stage.agent.asked[-1][1] == "Earlier in this chat:\n> Max: by the way\n\nNow:\none\ntwo"


async def test_b7_a_chat_that_moved_to_another_workspace_leaves_its_past(stage: Stage) -> None:
    await stage.say(TEAM, OLGA, "@valor_ai team's secret")
    await stage.quiet()
    stage.config = replace(CONFIG, groups={"-10": "Dev"})
    await stage.say(TEAM, OLGA, "dev's question")
    await stage.quiet()
    assert stage.agent.asked[-1][1] == "dev's question"


async def test_b7_a_message_of_ours_is_told_once_though_both_tables_have_it(stage: Stage) -> None:
    await stage.say(DM, OLGA, "hello")
    await stage.quiet()
    await stage.put("deliveries", message_id=None)
    await stage.reception.catch_up(FRONT)
    await stage.put("deliveries", message_id=2)
    await stage.say(DM, OLGA, "next")
    await stage.quiet()
    assert stage.agent.asked[-1][1].count("re: hello") == 1
    assert len(await stage.history.search(DM, "re hello")) == 1


async def test_b7_search_finds_this_chat_s_lines_only(stage: Stage) -> None:
    await stage.say(DEV, OLGA, "the blue house")
    await stage.say(DM, OLGA, "a BLUE car")
    await stage.quiet()
    found = await stage.history.search(DM, "blue car")
    assert sorted((said.sender, said.text) for said in found) == [("Olga", "a BLUE car"), ("Valor", "re: a BLUE car")]
    assert await stage.history.search(Chat(FRONT, "2"), "blue") == []
    assert await stage.history.search(DM, "100%") == []


async def test_b7_who_asked_is_named_when_several_did(stage: Stage) -> None:
    for person in (OLGA, MAX, Person(OWN.id, "valor_ai", "Valor")):
        stage.front.say("-20", person, f"by {person.name}")
    await stage.reception.catch_up(FRONT)
    await stage.quiet()
    assert stage.agent.asked[0][1].endswith("Olga: by Olga\nMax: by Max")
    turn = stage.agent.asked[0][0]
    at = stage.clock.now()
    context = Context((Said(1, "A", at, "x"),), ())
    assert write_prompt(turn, context).startswith("They reply to:\n> A: x")
