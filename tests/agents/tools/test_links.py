from __future__ import annotations

from pathlib import Path

from agents.tools.links import MOST, links_toolset
from core.clock import SystemClock
from core.protocols import Link
from runtime.manifest import Tools
from tests.runtime.stage import Bookmarks, open_stage
from tests.world.anthropic import Call, Say


async def test_b10_links_are_searched_in_the_runs_own_workspace(tmp_path: Path) -> None:
    now = SystemClock().now()
    links = Bookmarks(
        Link("https://a.example", "A", "It tells.", "Olga", now), Link("https://b.example", "", "", "Max", now)
    )
    async with open_stage(tmp_path) as stage:
        stage.model.answer(Call("search_links", {"words": "posts", "limit": 1_000}), Say("Two."))
        await stage.runner().run(stage.manifest(toolsets=(Tools(links_toolset),)), "go", stage.deps(links=links))
        (told,) = stage.model.calls[1].asked.results
        assert links.asked == [("psy", "posts", MOST)]
        assert told.text == (
            f"{now:%Y-%m-%d} Olga: https://a.example A - It tells.\n{now:%Y-%m-%d} Max: https://b.example"
        )
        stage.model.answer(Call("search_links", {"words": "x"}), Say("None."))
        none = stage.deps(links=Bookmarks(), run_id="run_2")
        await stage.runner().run(stage.manifest(toolsets=(Tools(links_toolset),)), "go", none)
        assert stage.model.calls[3].asked.results[0].text == "[nothing found]"
