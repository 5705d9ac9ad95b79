from __future__ import annotations

from pathlib import Path

from conversations.media_folder import MediaFolder

LATER = 1e12


async def test_b11_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = MediaFolder(tmp_path / "media")
    assert await folder.load("in/1") is None
    assert not await folder.has("in/1")
    for content in (b"first", b"second"):
        await folder.keep("in/1", content)
    assert (await folder.load("in/1"), await folder.has("in/1")) == (b"second", True)
    assert [path.name for path in (tmp_path / "media" / "in").iterdir()] == ["1"]


async def test_p12_old_files_can_be_found_and_removed(tmp_path: Path) -> None:
    folder = MediaFolder(tmp_path)
    assert await folder.names("out", LATER) == []
    await folder.keep("out/a", b"")
    assert (await folder.names("out", LATER), await folder.names("out", 0.0)) == (["a"], [])
    await folder.remove(["out/a", "out/b"])
    assert not await folder.has("out/a")
