"""Who allows what asks first, and how: by thumbs and replies with the account, by a button pressed late with the bot.

Real processes, real protocols, no patched product: where Telegram hides who reacted, the played Telegram does.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from telethon.tl import types as tl

from conversations.buttons import OWNERS_ONLY
from tests.acceptance.bot_story import bot_story
from tests.acceptance.script_model import command, do, promise
from tests.acceptance.story import Story, told_where_commands_ask
from tests.acceptance.test_bot_buttons import GOES_ON
from tests.acceptance.test_bot_kills import barrier as bots_barrier
from tests.acceptance.test_story import barrier
from tests.acceptance.test_story_promises import find
from tests.world.telegram import Person, SentMessage, render
from tests.world.telegram.model import Post

PRESSED = "SELECT COUNT(*) FROM messages WHERE reason = ? AND sender_id = ? AND text LIKE '/%'"
STANDS = "SELECT COUNT(*) FROM deliveries WHERE message_id = ? AND status = 'sent'"
TOO_OLD = "query is too old and response timeout expired or query ID is invalid"
Seen = Callable[[Post, Person], tl.MessageReactions]


@pytest.fixture(scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Story]:
    async with told_where_commands_ask(tmp_path_factory.mktemp("consent")) as story:
        yield story


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody's wish for a command that leaves a line in a file each time it runs, and the question it has led to."""

    story: Story
    asked: SentMessage
    question: SentMessage
    file: Path

    @property
    def runs(self) -> int:
        return self.file.read_text().count("\n") if self.file.exists() else 0

    @property
    def told(self) -> list[str]:
        """What was said of the question since."""
        return [answer.text for answer in self.story.answers(self.question)]

    @property
    def decision(self) -> tuple[str | None, str | None]:
        where = "SELECT decision, decided_by FROM consents WHERE arguments LIKE ?"
        (row,) = self.story.product.query(where, f'%>> {self.file.name}"%')
        return row["decision"], row["decided_by"]

    async def answered(self, words: str) -> None:
        """Until the chat has been told what became of it."""
        await self.story.until(lambda: find(self.story, self.asked, words))
        await self.story.until(lambda: not self.story.owed())


async def wish(story: Story, who: Person, name: str, *, promised: bool = False) -> Wish:
    """`promised`: it is the worker that comes to the command, not the turn."""
    words = do(command(f"echo ran >> {name}"), say="It ran.")
    asked = story.world.say(who, story.other, f"@valor_ai {promise(words) if promised else words}")
    question = await story.until(lambda: find(story, asked, "wants to use"))
    assert f"echo ran >> {name}" in question.text
    return Wish(story, asked, question, story.work("other") / name)


def member(story: Story) -> Person:
    """Somebody listed, and so a member wherever the workspace names no roles."""
    found = story.friend()
    story.world.join(story.other, found)
    return found


async def had_no_right(story: Story, *people: Person) -> None:
    """The thumbs of these have been heard and found to be without the right."""
    for person in people:
        await story.until(lambda person=person: story.product.value(PRESSED, f"pressed: {OWNERS_ONLY}", person.id))


async def test_p11_the_owners_thumb_allows_it_and_nobody_elses(story: Story) -> None:
    asker = member(story)
    async with story.product.explaining():
        wanted = await wish(story, asker, "up.txt")
        for person in (story.sam, asker):
            story.world.react(person, wanted.question, "👍")
        await had_no_right(story, story.sam, asker)
        story.world.react(story.olivia, wanted.question, "🔥")  # which says neither
        await barrier(story)
        assert (wanted.decision, wanted.runs, wanted.told) == ((None, None), 0, [])
        story.world.react(story.olivia, wanted.question, "👍")
        await wanted.answered("is done")
        story.world.react(story.olivia, wanted.question, "👎")  # too late
        await barrier(story)
    assert (wanted.decision, wanted.runs) == (("granted", "Olivia"), 1)
    assert ["goes on" in text for text in wanted.told] == [True]


async def test_p11_the_owners_thumb_down_refuses_what_the_worker_came_to_and_nobody_elses(story: Story) -> None:
    asker = member(story)
    async with story.product.explaining():
        wanted = await wish(story, asker, "down.txt", promised=True)
        for person in (story.sam, asker):
            story.world.react(person, wanted.question, "👎")
        await had_no_right(story, story.sam, asker)
        await barrier(story)
        assert wanted.decision == (None, None)
        story.world.react(story.olivia, wanted.question, "👎")
        await wanted.answered("Olivia refused run_command")
        story.world.react(story.olivia, wanted.question, "👍")  # too late
        await barrier(story)
    assert (wanted.decision, wanted.runs) == (("refused", "Olivia"), 0)


@pytest.mark.parametrize("says", ["👍", "approve"])
async def test_p11_what_the_owner_says_while_nobody_listens_counts_once(story: Story, says: str) -> None:
    """A reaction is in no difference and in no history: the question is read again."""
    async with story.product.explaining():
        wanted = await wish(story, story.olivia, f"away_{len(says)}.txt")
        assert (await story.product.stop()).code == 0
        if says == "👍":
            story.world.react(story.olivia, wanted.question, says)
        else:
            story.world.say(story.olivia, story.other, says, reply_to=wanted.question)
        assert (await story.product.start()).code == 0
        await wanted.answered("is done")
        await story.product.restarted("server", await story.product.kill("server"))
        await barrier(story)
    assert (wanted.decision, wanted.runs) == (("granted", "Olivia"), 1)


# -- authors that cannot be seen


def unlisted(post: Post, viewer: Person) -> tl.MessageReactions:
    """As in a chat that hides who reacted: how many, and not who."""
    return tl.MessageReactions(shown(post, viewer).results, can_see_list=False)


def as_the_group(post: Post, viewer: Person) -> tl.MessageReactions:
    """As by an anonymous administrator."""
    return masked(post, viewer, render.peer(post.chat, viewer))


def as_a_channel(post: Post, viewer: Person) -> tl.MessageReactions:
    """As by somebody who appears as a channel, one whose bare number is that person's own."""
    return masked(post, viewer, tl.PeerChannel([*post.reactions, viewer][0].id))


def masked(post: Post, viewer: Person, mask: Any) -> tl.MessageReactions:
    seen = shown(post, viewer)
    given = [tl.MessagePeerReaction(mask, one.date, one.reaction) for one in seen.recent_reactions or ()]
    return tl.MessageReactions(seen.results, can_see_list=True, recent_reactions=given)


shown: Seen = render.reactions


@pytest.mark.parametrize("seen_as", [unlisted, as_the_group, as_a_channel])
async def test_p11_a_thumb_whose_author_cannot_be_seen_does_not_count(
    story: Story, monkeypatch: pytest.MonkeyPatch, seen_as: Seen
) -> None:
    """Neither as it is given nor when the question is read again; the owner can still say it by name."""
    calls = story.world.ledger.calls
    async with story.product.explaining():
        wanted = await wish(story, story.olivia, f"{seen_as.__name__}.txt")
        with monkeypatch.context() as patch:
            patch.setattr(render, "reactions", seen_as)
            story.world.react(story.olivia, wanted.question, "👍")
            await barrier(story)
            assert wanted.decision == (None, None)
            read = len(calls("messages.getMessagesReactions"))
            await story.product.restarted("server", await story.product.kill("server"))
            await story.until(lambda: len(calls("messages.getMessagesReactions")) > read)
            await barrier(story)
            assert (wanted.decision, wanted.runs, wanted.told) == ((None, None), 0, [])
        story.world.say(story.olivia, story.other, "refuse", reply_to=wanted.question)
        await wanted.answered("Olivia refused run_command")
    assert (wanted.decision, wanted.runs) == (("refused", "Olivia"), 0)


# -- a button


async def test_p11_a_press_that_comes_late_after_a_kill_still_counts_and_the_tool_runs_once(tmp_path: Path) -> None:
    """Pressed while nobody listened, twice; then it is too late to tell the phone, which is worth less than a press."""
    async with bot_story(tmp_path, alone=True) as story:
        story.change("Served", consent=["run_command"])
        late = story.world.faults.error(TOO_OLD, person=story.bot, method="answerCallbackQuery", times=None)
        async with story.product.running(), story.product.explaining():
            asked = story.world.say(story.olivia, story.served, do(command("echo ran >> late.txt"), say="It ran."))
            question = await story.answer_to(asked)
            await story.until(lambda: "✅ Approve" in story.api.buttons(question))
            await story.until(lambda: story.product.value(STANDS, question.id_for(story.bot)))  # else it is asked again
            former = {part: await story.product.kill(part) for part in ("worker", "server")}
            for person in (story.sam, story.olivia, story.olivia):
                story.api.press(person, question, "✅ Approve")
            for part, pid in former.items():
                await story.product.restarted(part, pid, 60)
            await story.until(lambda: find(story, asked, "is done"))
            await story.until(lambda: not story.api.hub(story.bot).updates and not story.api.buttons(question))
            await bots_barrier(story)
            assert await story.audit() == []
        assert late.met >= 3
        assert (story.work("served") / "late.txt").read_text() == "ran\n"
        assert [one.text for one in story.world.messages(story.served, story.bot)].count(GOES_ON) == 1
        (row,) = story.product.query("SELECT decision, decided_by FROM consents")
        assert tuple(row) == ("granted", "Olivia")
