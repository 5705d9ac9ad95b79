# pyright: basic
"""Whatever Telegram tells: it never stops the receive loop, and what is not handled is counted by its name."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from telethon.tl import types as tl

from integrations.telegram.convert import to_message
from integrations.telegram.directory import Account, Directory
from tests.integrations.telegram.anything import WHEN, an, classes_of, written
from tests.integrations.telegram.desk import Desk, Home
from tests.world.telegram import Person, TelegramWorld
from tests.world.telegram.link import Link

UPDATES = sorted(classes_of("Update"), key=lambda kind: kind.__name__)
WRAPPERS = sorted(classes_of("Updates"), key=lambda kind: kind.__name__)
# These say that everything is lost, or answer a call: other tests show what follows from them.
ROADS = [kind for kind in WRAPPERS if kind.__name__ not in {"UpdatesTooLong", "UpdateShortSentMessage"}]
ENTITIES = sorted(classes_of("MessageEntity"), key=lambda kind: kind.__name__)
MEDIA = sorted(classes_of("MessageMedia"), key=lambda kind: kind.__name__)
ACTIONS = sorted(classes_of("MessageAction"), key=lambda kind: kind.__name__)
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
FEW = settings(max_examples=2, deadline=None, suppress_health_check=SLOW)
MANY = settings(max_examples=30, deadline=None, suppress_health_check=SLOW)


def push(world: TelegramWorld, person: Person, thing: Any) -> bool:
    """Have the server tell an account this; False for what cannot be written down."""
    whole = thing if type(thing) in WRAPPERS else tl.Updates([thing], [], [], WHEN, 0)
    body = written(whole)
    if body is None:
        return False
    for link in tuple(person.listeners):
        cast("Link", link).tell(body)
    return True


async def hear_all(things: list[Any]) -> set[str]:
    """Each one is told, and after each a message still arrives; the names of those that could be told."""
    told: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        async with TelegramWorld(Path(folder)) as world:
            home, desk = Home(world, Path(folder)), Desk()
            home.sign_in()
            async with home.userbot(desk) as bot:
                for number, thing in enumerate(things):
                    if push(world, home.valor, thing):
                        told.add(type(thing).__name__)
                    world.say(home.anna, home.valor, f"after {type(thing).__name__} {number}")
                    await desk.hear(f"after {type(thing).__name__} {number}")
                assert sum(bot.unhandled.values()) > 0
                assert bot.health().status == "healthy"
    return told


def play(things: list[Any]) -> set[str]:
    logging.disable(logging.CRITICAL)
    try:
        return asyncio.run(hear_all(things))
    finally:
        logging.disable(logging.NOTSET)


def test_bad_input_the_schema_s_constructors_are_all_here() -> None:
    assert (len(UPDATES) > 140, len(ROADS), len(ENTITIES) > 18, len(MEDIA) > 15, len(ACTIONS) > 40) == (
        *(True,),
        5,
        *(True,) * 3,
    )


@FEW
@given(st.data())
def test_bad_input_after_every_kind_of_update_a_message_is_still_received(data: st.DataObject) -> None:
    told = play([data.draw(an(kind)) for kind in UPDATES])
    assert len(told) > len(UPDATES) * 0.8


@FEW
@given(st.data())
def test_bad_input_after_every_kind_of_message_one_is_still_received(data: st.DataObject) -> None:
    news = [an(tl.UpdateNewMessage), an(tl.UpdateEditMessage), an(tl.UpdateNewChannelMessage)]
    told = play([data.draw(one) for one in news * 8] + [data.draw(an(kind)) for kind in ROADS])
    assert told  # the plainest of all cannot be written down, the roads can


@MANY
@given(st.data())
def test_bad_input_every_entity_however_nested_becomes_a_message(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(ENTITIES), min_size=1, max_size=6))
    entities = [data.draw(an(kind)) for kind in kinds]
    text = data.draw(st.text(max_size=30))
    for entity in entities:
        entity.offset = data.draw(st.integers(-2, 40))
        entity.length = data.draw(st.integers(-2, 40))
    message = to_message(tl.Message(1, tl.PeerUser(5), WHEN, text, entities=entities), Directory(Account(1)))
    assert message is not None
    assert message.text


@MANY
@given(st.data())
def test_bad_input_every_media_reply_and_service_message_becomes_a_message(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([*MEDIA, *ACTIONS]))
    if kind in MEDIA:
        raw = tl.Message(1, tl.PeerChat(5), WHEN, "", media=data.draw(an(kind)))
    else:
        raw = tl.MessageService(1, tl.PeerChat(5), WHEN, action=data.draw(an(kind)))
    raw.reply_to = data.draw(st.none() | st.sampled_from(classes_of("MessageReplyHeader")).flatmap(an))
    message = to_message(raw, Directory(Account(1)))
    assert message is not None
    assert message.text.startswith("[") or message.attachments


@pytest.mark.parametrize("kind", ["Message", "MessageService", "MessageEmpty"])
@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(st.data())
def test_bad_input_any_message_at_all_becomes_one_or_none(kind: str, data: st.DataObject) -> None:
    raw = data.draw(an(getattr(tl, kind)))
    message = to_message(raw, Directory(Account(1)))
    assert message is None or message.id == raw.id


async def test_what_is_not_handled_is_counted_and_told_with_the_health(home: Home) -> None:
    desk = Desk()
    async with home.userbot(desk) as bot:
        for _ in range(3):
            push(home.world, home.valor, tl.UpdateConfig())
        home.world.say(home.anna, home.valor, "hello")
        await desk.hear("hello")
        assert bot.unhandled["UpdateConfig"] == 3
        assert bot.health().sentence.endswith("Updates not handled: UpdateConfig 3.")
