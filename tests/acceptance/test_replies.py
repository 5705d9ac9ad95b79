"""What is replied to reaches the model, also where nobody heard it: before the start, or with a bot in privacy mode."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.bot_story import bot_story
from tests.acceptance.story import Story, told_in
from tests.acceptance.test_media import pictures_of
from tests.world.anthropic import Asked
from tests.world.content import PNG

SAID = "The invoice of March is 4711 euros too high"


def asked_last(story: Story, words: str) -> Asked:
    return [seen.asked for seen in story.model.calls if words in seen.asked.prompt][-1]


async def test_b7_a_bot_in_privacy_mode_reads_what_is_replied_to(tmp_path: Path) -> None:
    async with bot_story(tmp_path, alone=True) as story:
        story.api.hub(story.bot).privacy = True
        async with story.product.running(), story.product.explaining():
            said = story.world.say(story.sam, story.other, SAID)
            photo = story.world.say(story.sam, story.other, "", media=story.world.media("photo", content=PNG))
            for target, words in ((said, "is that right?"), (photo, "what is on it?")):
                await story.settled(story.world.say(story.olivia, story.other, f"@valor_bot {words}", reply_to=target))
            assert f"> Sam: {SAID}" in asked_last(story, "is that right?").prompt
            assert len(pictures_of(asked_last(story, "what is on it?"))) == 1
            assert await story.audit() == []


async def test_b7_the_account_reads_what_is_replied_to_though_it_was_said_before_the_start(tmp_path: Path) -> None:
    async with told_in(tmp_path) as story:
        first = story.world.say(story.sam, story.other, SAID)
        photo = story.world.say(
            story.sam, story.other, "See?", reply_to=first, media=story.world.media("photo", content=PNG)
        )
        async with story.product.running(), story.product.explaining():
            asked = story.world.say(story.olivia, story.other, "@valor_ai is that right?", reply_to=photo)
            await story.settled(asked)
            request = asked_last(story, "is that right?")
            assert request.prompt.index(f"> Sam: {SAID}") < request.prompt.index("See?")
            assert len(pictures_of(request)) == 1
            row = story.row_of(first)
            assert row
            assert row["reason"] == "known from a reply to it alone"
            assert await story.audit() == []
