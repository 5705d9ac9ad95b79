from __future__ import annotations

import asyncio
import os

from conversations.media_cleaning import DAY_SECONDS, FIRST_SECONDS, MediaCleaning
from conversations.media_folder import MediaFolder
from core.errors import Undeliverable
from tests.conversations.stage import Stage, locked
from tests.conversations.test_files import ASKER, CALL, CHART, kept


async def lay(stage: Stage, folder: MediaFolder, days: dict[str, float]) -> None:
    """Files that are so many days old."""
    for place, age in days.items():
        await folder.keep(place, b"x")
        when = stage.clock.now().timestamp() - age * DAY_SECONDS
        os.utime(stage.folder / "media" / place, (when, when))


async def test_p12_what_is_old_and_not_needed_goes_every_day(stage: Stage) -> None:
    folder = MediaFolder(stage.folder / "media")
    stage.front.refuse("send", Undeliverable("Not allowed."))
    await stage.files.send(CHART, "", ASKER, CALL)  # a dead letter, which can be tried again
    await stage.quiet()
    (needed,) = kept(stage)
    await lay(stage, folder, {f"out/{needed}": 30, "out/stray": 2, "out/new": -0.5, "in/1": 8, "in/2": 5})
    cleaning = asyncio.create_task(MediaCleaning(stage.database, stage.clock, folder).run())
    await stage.clock.until_asleep()
    with locked(stage.folder):
        stage.clock.advance(FIRST_SECONDS)
        await stage.clock.until_asleep()
    stage.clock.advance(DAY_SECONDS)
    await stage.clock.until_asleep()
    cleaning.cancel()
    assert kept(stage) == sorted([needed, "new"])
    assert [path.name for path in (stage.folder / "media" / "in").iterdir()] == ["2"]
