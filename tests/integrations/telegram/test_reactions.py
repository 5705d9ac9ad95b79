"""Reactions as people's word: real Telethon against the played Telegram."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from telethon.tl import types as tl

from core.errors import Unreachable
from core.message import Part
from integrations.telegram.directory import Account, Directory
from integrations.telegram.line import Line
from integrations.telegram.reactions import complete, to_decisions
from tests.integrations.telegram.desk import Desk, Home
from tests.world.telegram import Person
from tests.world.telegram import model as world_model

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def test_p11_a_thumb_is_heard_live_and_read_again(home: Home) -> None:
    desk = Desk()
    group = home.world.group("Dev", [home.anna, home.valor])
    async with home.userbot(desk) as bot:
        chat = home.chat(group)
        number = await bot.send(Part(chat, "May I?", random_id=1))
        question = home.world.messages(sender=home.valor)[-1]
        home.world.react(home.anna, question, "👀")
        home.world.react(home.anna, question, "👍")
        live = await desk.hear("/approve")
        assert (live.chat, live.reply_to, live.sender.id) == (chat, number, home.anna.id)
        assert live.sender.username == "Anna_B"
        await bot.react(chat, number, "👎")  # our own says nothing
        (again,) = await bot.decisions(chat, [number])
        assert (again.id, again.text, again.pressed) == (live.id, "/approve", live.pressed)
    assert desk.texts == ["/approve"]


def crowd(home: Home, size: int) -> tuple[world_model.Chat, list[Person]]:
    people = [home.world.person(f"P{number}", f"person_{number}") for number in range(size)]
    return home.world.group("Busy", [home.anna, home.valor, *people]), people


@pytest.mark.parametrize("others", [5, 130])
async def test_p11_a_thumb_under_which_others_have_piled_up_is_read_again(home: Home, others: int) -> None:
    desk = Desk()
    group, people = crowd(home, others)
    async with home.userbot(desk) as bot:
        chat = home.chat(group)
        number = await bot.send(Part(chat, "May I?", random_id=1))
        question = home.world.messages(sender=home.valor)[-1]
        home.world.faults.drop_updates(home.valor, 10**9)
        home.world.react(home.anna, question, "👍")
        for person in people:
            home.world.react(person, question, "👍")
        decisions = await bot.decisions(chat, [number])
        assert {one.sender.username for one in decisions} == {"Anna_B", *(person.username for person in people)}
        home.world.faults.flood_wait(9, home.valor, "messages.getMessageReactionsList")
        assert len(await bot.decisions(chat, [number])) == 3


async def test_p11_a_thumb_that_a_live_update_leaves_out_is_asked_for(home: Home) -> None:
    desk = Desk()
    group, people = crowd(home, 4)
    async with home.userbot(desk) as bot:
        await bot.send(Part(home.chat(group), "May I?", random_id=1))
        question = home.world.messages(sender=home.valor)[-1]
        home.world.faults.drop_updates(home.valor, len(people))
        for person in (home.anna, *people[:-1]):
            home.world.react(person, question, "👍")
        home.world.react(people[-1], question, "🔥")
        await desk.until(lambda: home.anna.id in {message.sender.id for message in desk.messages})
        assert {message.sender.id for message in desk.messages} == {home.anna.id, *(one.id for one in people[:-1])}


async def test_p11_without_a_connection_the_thumbs_that_came_count() -> None:
    def closed() -> Line:
        raise Unreachable("no connection")

    given = [reaction(tl.PeerUser(1))]
    told = tl.MessageReactions([tl.ReactionCount(given[0].reaction, 4)], can_see_list=True, recent_reactions=given)
    live = tl.UpdateMessageReactions(tl.PeerChannel(5), 7, told)
    assert said(await complete(closed, live)) == [(1, "/approve")]


def update(*given: tl.MessagePeerReaction, named: bool = True) -> tl.UpdateMessageReactions:
    told = tl.MessageReactions([], recent_reactions=list(given) if named else None)
    return tl.UpdateMessageReactions(tl.PeerChannel(5), 7, told)


def reaction(peer: Any, emoji: str = "👍") -> tl.MessagePeerReaction:
    return tl.MessagePeerReaction(peer, NOW, tl.ReactionEmoji(emoji))


def said(told: tl.UpdateMessageReactions) -> list[tuple[int, str]]:
    decisions = to_decisions(told, Directory(Account(100, ("valor_ai",))), NOW)
    return [(decision.sender.id, decision.text) for decision in decisions]


def test_p11_a_reaction_whose_author_cannot_be_seen_does_not_count() -> None:
    assert said(update(reaction(tl.PeerUser(1)), named=False)) == []
    assert said(update(reaction(tl.PeerChannel(9)), reaction(tl.PeerChat(3)))) == []
    assert said(update(reaction(tl.PeerUser(100)))) == []


def test_p11_only_thumbs_decide_in_any_colour() -> None:
    custom = tl.MessagePeerReaction(tl.PeerUser(4), NOW, tl.ReactionCustomEmoji(5))
    told = update(
        reaction(tl.PeerUser(1), "👍🏽"), reaction(tl.PeerUser(2), "👎"), reaction(tl.PeerUser(3), "🔥"), custom
    )
    assert said(told) == [(1, "/approve"), (2, "/refuse")]
