"""Who is heard, who may do what, and what a chat's turn knows: real processes, many kinds of chats and people."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.script_model import Use, command, do, promise, write
from tests.acceptance.story import Story, told_in
from tests.world.anthropic import Hang
from tests.world.telegram import Chat, Person, SentMessage, Topic


@dataclass(slots=True)
class Society:
    """In Dev: Olivia the owner, Mia a member, Gus a guest. The forum's second topic belongs to another workspace.

    Ida is listed by her number alone. Club is a group that the account is added to while Valor is away, Team one that
    becomes a supergroup. `Other` is configured, and left out by TELEGRAM_ALLOWED_GROUPS.
    """

    story: Story
    mia: Person = field(init=False)
    gus: Person = field(init=False)
    ida: Person = field(init=False)
    forum: Chat = field(init=False)
    topics: list[Topic] = field(init=False)
    club: Chat = field(init=False)
    team: Chat = field(init=False)

    def __post_init__(self) -> None:
        world, story = self.story.world, self.story
        self.mia, self.gus, self.ida = (world.person(name, f"{name.lower()}_1") for name in ("Mia", "Gus", "Ida"))
        for person in (self.mia, self.gus):
            world.join(story.dev, person)
        self.forum = world.group("Forum", [story.olivia, story.valor])
        self.topics = [world.topic(self.forum, story.olivia, title) for title in ("General things", "Plans")]
        self.club = world.group("Club", [story.olivia])
        self.team = world.group("Team", [story.olivia, story.valor], supergroup=False)
        file = story.home / "config" / "workspace_config.json"
        file.write_text(json.dumps(self._configuration(), indent=2))

    def _configuration(self) -> dict[str, Any]:
        configuration, story = self.story.configuration(), self.story
        places = configuration["workspaces"]
        places["Dev"]["roles"] = {"owner_olivia": "owner", "Mia_1": "member", str(self.gus.id): "guest"}
        for name, chat in (("Forum", self.forum), ("Club", self.club), ("Team", self.team)):
            story.work(name.lower()).mkdir()
            ids = [str(chat.peer_id(story.valor))]
            directory = str(story.work(name.lower()))
            places[name] = {"working_directory": directory, "telegram_chat_ids": ids, "is_dev_group": True}
        plans = f"{self.forum.peer_id(story.valor)}/{self.topics[1].id}"
        configuration["telegram_topics"] = {plans: "Olivia"}
        configuration["dm_whitelist"]["allowed_user_ids"] = {str(self.ida.id): {"description": "By number"}}
        return configuration


@pytest.fixture(scope="module")
async def society(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Society]:
    allowed = "Dev,Forum,Club,Team,Olivia"
    async with told_in(tmp_path_factory.mktemp("people"), TELEGRAM_ALLOWED_GROUPS=allowed) as story:
        society = Society(story)
        async with story.product.running():
            yield society
            assert await story.audit() == []


async def answered(story: Story, asked: SentMessage) -> str:
    async with story.product.explaining():
        answers = await story.settled(asked)
    assert len(answers) == 1
    return answers[0].text


async def begun(story: Story, person: Person, chat: Chat | Person, name: str, work: Path) -> SentMessage:
    """A turn that is in the middle of a command."""
    asked = story.world.say(person, chat, do(command(f"touch {name}; until [ -e {name}.go ]; do sleep 0.05; done")))
    async with story.product.explaining():
        await story.until((work / name).exists)
    return asked


async def test_a2_a_name_in_any_case_and_a_number_alone_are_both_let_in(society: Society) -> None:
    story = society.story
    for person in (story.olivia, society.ida):  # the file says @Owner_Olivia
        assert await answered(story, story.world.say(person, story.valor, "Hello")) == "Echo: Hello"


async def test_a3_a_configured_group_that_is_left_out_is_not_heard(society: Society) -> None:
    story = society.story
    left_out = story.world.say(story.olivia, story.other, "@valor_ai are you there?")
    assert await answered(story, story.world.say(story.olivia, society.forum, "And here?")) == "Echo: And here?"
    assert (story.answers(left_out), story.reactions(left_out), story.row_of(left_out)) == ([], [], None)


async def test_a3_an_unknown_name_among_the_allowed_groups_stops_the_start_and_lists_the_known_ones(
    tmp_path: Path,
) -> None:
    async with told_in(tmp_path, TELEGRAM_ALLOWED_GROUPS="Dev,Nowhere") as story:
        started = await story.product.start()
        assert started.code != 0
        assert "Nowhere" in started.said
        assert all(name in started.said for name in ("Dev", "Other"))


async def test_a8_why_a_message_was_or_was_not_answered_can_be_asked(society: Society) -> None:
    story = society.story
    story.world.say(story.olivia, story.dev, "ping")
    asked = story.world.say(society.mia, story.dev, "Does anybody know?")
    await answered(story, asked)
    chat, number = str(asked.chat.peer_id(story.valor)), str(asked.id_for(story.valor))
    told = await story.product.run(".venv/bin/valor", "why", "--", chat, number)
    row = story.row_of(asked)
    assert told.code == 0, told.said
    assert row is not None
    assert row["reason"]
    assert row["reason"] in told.said


async def test_a9_a_guest_has_no_code_run_and_stops_nobody(society: Society) -> None:
    story, dev = society.story, society.story.work("dev")
    refused = story.world.say(society.gus, story.dev, promise(do(write("guest.txt", "1"))))
    assert "guest may not have code run" in await answered_after_all(story, refused)
    assert not (dev / "guest.txt").exists()
    working = await begun(story, society.mia, story.dev, "mine", dev)
    no = story.world.say(society.gus, story.dev, "stop")
    async with story.product.explaining():
        await story.until(lambda: story.answers(no))
        (dev / "mine.go").touch()
        assert [told.text for told in await story.settled(working)] == ["Done."]
    assert "Stopped." not in story.answers(no)[0].text


async def test_a9_an_owner_stops_what_a_member_asked_for(society: Society) -> None:
    story = society.story
    await begun(story, society.mia, story.dev, "theirs", story.work("dev"))
    async with story.product.explaining():
        told = await story.answer_to(story.world.say(story.olivia, story.dev, "stop"))
    assert told.text.startswith("Stopped.")


async def answered_after_all(story: Story, asked: SentMessage) -> str:
    """All that was answered, whatever it went through."""
    async with story.product.explaining():
        await story.until(lambda: story.answers(asked))
        await story.until(lambda: not story.owed())
        results = [result.text for seen in story.model.calls for result in seen.asked.results]
    return "\n".join([*(told.text for told in story.answers(asked)), *results])


async def test_b5_what_is_said_meanwhile_and_an_edit_reach_the_model_before_its_next_request(society: Society) -> None:
    story, friend = society.story, society.story.friend()
    asked = await begun(story, friend, story.valor, "steered", story.private_work(friend))
    joined = story.world.say(friend, story.valor, "Make it blue, please")
    async with story.product.explaining():
        await story.until(lambda: story.row_of(joined))
        story.world.edit(asked, f"{asked.text} (and hurry)")
        await story.until(lambda: "and hurry" in steers(story))
        (story.private_work(friend) / "steered.go").touch()
        await story.settled(joined)
    heard = story.model.calls[-1].asked.said
    assert "Make it blue, please" in heard
    assert "and hurry" in heard
    assert story.product.value("SELECT COUNT(*) FROM turns WHERE requester_id = ?", friend.id) == 1


async def test_b5_a_burst_is_one_turn_and_other_chats_do_not_wait(society: Society) -> None:
    story, friend, other = society.story, society.story.friend(), society.story.friend()
    hangs = [Hang()] * 3  # the turn may begin with one of them, with two, and with all
    story.model.answer(*hangs, when=lambda asked: "the first of three" in asked.question)
    lines = [story.world.say(friend, story.valor, text) for text in ("the first of three", "second", "third")]
    assert await answered(story, story.world.say(other, story.valor, "And me?")) == "Echo: And me?"
    async with story.product.explaining():
        row = await story.until(lambda: (found := story.row_of(lines[-1])) and found["turn_id"] and found)
        await story.until(lambda: any("third" in seen.asked.question for seen in story.model.calls))
        told = await story.answer_to(story.world.say(friend, story.valor, "stop"))
    assert told.text == "Stopped. Nothing had been done yet."
    turns = {found["turn_id"] for line in lines if (found := story.row_of(line))}
    assert turns == {row["turn_id"]}


async def test_b7_a_turn_knows_its_own_chat_and_no_other(society: Society) -> None:
    story, friend, other = society.story, society.story.friend(), society.story.friend()
    await answered(story, story.world.say(friend, story.valor, "The word is plum"))
    await answered(story, story.world.say(other, story.valor, "The word is pear"))
    asked = story.world.say(friend, story.valor, "Which word was it?")
    await answered(story, asked)
    call = next(seen for seen in reversed(story.model.calls) if "Which word was it?" in seen.asked.question)
    assert call.asked.prompt.count("The word is plum") + str(call.asked.messages[:-1]).count("The word is plum") >= 1
    assert "pear" not in json.dumps(call.asked.body)
    assert json.dumps(call.asked.body).count("Which word was it?") == 1


async def test_b7_a_topic_is_a_chat_of_its_own_and_works_where_it_is_bound(society: Society) -> None:
    story, (things, plans) = society.story, society.topics
    assert (
        await answered(story, story.world.say(story.olivia, things, "The colour is teal")) == "Echo: The colour is teal"
    )
    words = do(write("plan.txt", "1"), say="Planned.")
    written = story.world.say(story.olivia, plans, f"@valor_ai {words}")
    assert await answered(story, written) == "Planned."
    assert (story.work("olivia") / "plan.txt").read_text() == "1"
    assert not (story.work("forum") / "plan.txt").exists()
    assert "teal" not in json.dumps(story.model.calls[-1].asked.body)


async def test_b7_the_chats_history_is_searched_and_no_others(society: Society) -> None:
    story, friend = society.story, society.story.friend()
    await answered(story, story.world.say(friend, story.valor, "The password of the shed is quince"))
    await answered(story, story.world.say(story.olivia, story.dev, "quince jam is on sale"))
    search = do(Use("search_history", {"words": "quince"}), say="Found.")
    assert await answered(story, story.world.say(friend, story.valor, search)) == "Found."
    (found,) = story.model.calls[-1].asked.results
    assert "shed is quince" in found.text
    assert "jam" not in found.text


async def test_b8_a_group_joined_while_away_is_heard_when_it_is_back(society: Society) -> None:
    story = society.story
    async with story.product.explaining():
        assert (await story.product.stop()).code == 0
        story.world.join(society.club, story.valor)
        asked = story.world.say(story.olivia, society.club, "Welcome, who are you?")
        assert (await story.product.start()).code == 0
        assert [told.text for told in await story.settled(asked)] == ["Echo: Welcome, who are you?"]
    assert len(story.world.messages(society.club, story.valor)) == 1


async def test_b8_a_group_that_becomes_a_supergroup_goes_on_there_and_the_owner_is_told_the_line(
    society: Society,
) -> None:
    story = society.story
    await answered(story, story.world.say(story.olivia, story.valor, "ping"))
    assert await answered(story, story.world.say(story.olivia, society.team, "Here?")) == "Echo: Here?"
    there = story.world.upgrade(society.team)
    assert await answered(story, story.world.say(story.olivia, there, "And there?")) == "Echo: And there?"
    line = f'write "{there.peer_id(story.valor)}" instead of "{society.team.peer_id(story.valor)}"'
    async with story.product.explaining():
        dm = story.world.dm(story.olivia, story.valor)
        await story.until(lambda: any(line in told.text for told in story.world.messages(dm, story.valor)))


def steers(story: Story) -> str:
    """All that was said to running turns, taken or not."""
    return " ".join(
        str(row["request"]) for row in story.product.query("SELECT request FROM steps WHERE kind = 'steer'")
    )
