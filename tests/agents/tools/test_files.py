from __future__ import annotations

from pathlib import Path

import pytest
from pydantic_ai.messages import ToolReturn

from agents.tools.files import edit_file, files_toolset, list_files, read_file, search_files, write_file
from core.access import Role
from core.errors import Busy, NotAllowed, Unknown
from tests.agents.tools.fence_stage import Stage, new_stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return new_stage(tmp_path)


def test_w5_the_tools_cost_few_characters_of_every_request() -> None:
    tools = files_toolset().tools
    assert set(tools) == {"read_file", "list_files", "search_files", "write_file", "edit_file"}
    assert (
        sum(len(str(tool.tool_def.parameters_json_schema)) + len(tool.description or "") for tool in tools.values())
        < 2200
    )


async def test_w5_reading_shows_the_text_and_where_it_was_cut(stage: Stage) -> None:
    (stage.workspace / "file").write_text("one\ntwo\nthree\n")
    assert await read_file(stage.context(), "file") == "one\ntwo\nthree\n"
    assert await read_file(stage.context(), "file", 2, 1) == "two\n\n[lines 2-2 of 3]"
    with pytest.raises(Unknown):
        await read_file(stage.context(), "nothing")


async def test_w5_listing_and_searching(stage: Stage) -> None:
    assert await list_files(stage.context()) == "[empty]"
    (stage.workspace / "file").write_text("Needle\n" * 101)
    assert await list_files(stage.context()) == "file"
    assert await search_files(stage.context(), "nowhere") == "[nothing found]"
    found = (await search_files(stage.context(), "needle")).split("\n")
    assert (found[0], found[-1], len(found)) == ("file:1: Needle", "[more left out]", 101)
    for number in range(501):
        (stage.workspace / f"{number}").touch()
    assert (await list_files(stage.context())).endswith("\n[more left out]")


async def test_p10_writing_gives_evidence_that_the_model_does_not_see(stage: Stage) -> None:
    made = await write_file(stage.context(), "file", "one")
    same = await write_file(stage.context(), "file", "one")
    changed = await edit_file(stage.context(), "file", "one", "two")
    assert [_text(told) for told in (made, same, changed)] == [
        "file made (3 bytes).",
        "file left as it was (3 bytes).",
        "file changed (3 bytes).",
    ]
    assert made.metadata[0]["before"] is None
    [evidence] = changed.metadata
    assert (evidence["kind"], evidence["path"], evidence["before"]) == ("file", "file", made.metadata[0]["after"])
    assert evidence["diff"].splitlines()[3::2] == ["-one", "+two"]
    assert same.metadata[0]["diff"] == ""


def _text(told: ToolReturn) -> object:
    return told.return_value


async def test_p8_reading_takes_no_lock_and_writing_does(stage: Stage) -> None:
    (stage.workspace / "file").write_text("one")
    await read_file(stage.context(), "file")
    assert stage.fence.held is None
    await write_file(stage.context(), "file", "two")
    assert stage.fence.held is not None
    with pytest.raises(Busy, match="turn 1"):
        await edit_file(stage.rival().context(), "file", "two", "three")
    await stage.fence.close()


async def test_a9_guests_do_not_reach_the_files(stage: Stage) -> None:
    guest = stage.context(Role.GUEST)
    for tool in (read_file(guest, "x"), list_files(guest), search_files(guest, "x"), write_file(guest, "x", "x")):
        with pytest.raises(NotAllowed, match="Gus may not use the files"):
            await tool
    assert stage.fence.held is None
