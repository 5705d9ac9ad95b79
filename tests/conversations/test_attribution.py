"""Whose words a message holds: forwards and quotes, as the ledger keeps them and an agent reads them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conversations.attribution import split_mark
from core.attachment import Attachment, Kind
from integrations.memory import Carried
from tests.conversations.stage import DEV, DM, MAX, OLGA, TEAM, Stage


async def test_b7_what_is_passed_on_says_whose_words_it_is_and_is_no_command(stage: Stage) -> None:
    told = stage.front.say("1", OLGA, "/ping")
    for words, name in ((told, "Max\nMoritz"), (stage.front.say("1", OLGA, "Who is this?"), "")):
        await stage.reception.receive(replace(words, forwarded_from=name))
    await stage.quiet()
    passed_on = "[Forwarded from Max Moritz]\n/ping", "[Forwarded from somebody]\nWho is this?"
    assert stage.front.texts("1") == [f"re: {passed_on[0]}\n{passed_on[1]}"]
    assert [row.text for row in await stage.rows("messages")] == list(passed_on)


async def test_b7_what_is_passed_on_is_past_as_such(stage: Stage) -> None:
    first = replace(stage.front.say("-10", MAX, "I resign."), forwarded_from="Gus")
    await stage.reception.receive(first)
    await stage.say(TEAM, OLGA, "@valor_ai who resigns?")
    await stage.quiet()
    assert "> Max: [Forwarded from Gus]\n> I resign." in stage.agent.asked[-1][1]
    again = replace(stage.front.say("-20", OLGA, "Is that so?", 5), replied=replace(first, chat=DEV, id=5))
    await stage.reception.receive(again)
    await stage.quiet()
    assert "They reply to:\n> Max: [Forwarded from Gus]\n> I resign." in stage.agent.asked[-1][1]


async def test_b7_the_quoted_part_stands_above_what_is_said_of_it_and_commands_are_commands(stage: Stage) -> None:
    told = await stage.say(DM, OLGA, "Tell me all")
    await stage.quiet()
    await stage.reception.receive(replace(stage.front.say("1", OLGA, "Why this?", told.id), quote="all\nof it"))
    await stage.reception.receive(replace(stage.front.say("1", OLGA, "/ping", told.id), quote="all"))
    await stage.quiet()
    assert "> all\n> of it\nWhy this?" in stage.agent.asked[-1][1]
    assert [row.kind for row in await stage.rows("turns")] == ["agent", "agent", "command"]


async def test_b7_an_address_that_is_passed_on_with_more_says_whose_it_is(stage: Stage) -> None:
    for text in ("https://example.com/pay", "Please pay this."):
        await stage.reception.receive(replace(stage.front.say("1", OLGA, text), forwarded_from="Gus"))
    await stage.quiet()
    assert "[Forwarded from Gus]\nhttps://example.com/pay" in stage.agent.asked[-1][1]


async def test_b7_a_voice_that_is_passed_on_is_not_the_senders(stage: Stage) -> None:
    voice = Carried((Attachment(Kind.VOICE, "audio/ogg", 10, seconds=3),))
    await stage.reception.receive(replace(stage.front.say("1", OLGA, "", None, voice), forwarded_from="Gus"))
    await stage.quiet()
    await stage.say(DM, OLGA, "who said it?")
    await stage.quiet()
    assert "> Olga: [Forwarded from Gus]\n> [voice message" in stage.agent.asked[-1][1]


@pytest.mark.parametrize(
    ("text", "mark", "words"),
    [
        ("[Forwarded from Gus]\nPay.\nNow.", "[Forwarded from Gus]\n", "Pay.\nNow."),
        ("[Forwarded from Gus]\n", "[Forwarded from Gus]\n", ""),
        ("Pay. [Forwarded from Gus]\n", "", "Pay. [Forwarded from Gus]\n"),
        ("", "", ""),
    ],
)
def test_b7_the_mark_is_told_from_the_words(text: str, mark: str, words: str) -> None:
    assert split_mark(text) == (mark, words)
