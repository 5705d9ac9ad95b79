from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import NotAllowed, RequestError, Unknown
from runtime import workspace_files
from runtime.policy import FencePolicy, Product, policy_for
from runtime.workspace_files import WorkspaceFiles

Audited = list[tuple[str, str]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "src" / "deep").mkdir(parents=True)
    (root / "src" / "one.py").write_text("first\nsecond\nthird\n")
    (root / "src" / "deep" / "two.py").write_text("Second again\n")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("second")
    (root / "picture").write_bytes(b"\x89PNG\0second")
    return root


@pytest.fixture
def audited() -> Audited:
    return []


@pytest.fixture
def files(root: Path, audited: Audited) -> WorkspaceFiles:
    return WorkspaceFiles(FencePolicy(root), lambda path, sentence: audited.append((path, sentence)))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_w5_reading_gives_lines_and_the_hash(files: WorkspaceFiles) -> None:
    content = await files.read("src/one.py")
    assert (content.text, content.lines, content.cut) == ("first\nsecond\nthird\n", 3, False)
    assert content.sha256 == _hash("first\nsecond\nthird\n")
    part = await files.read("src/one.py", 2, 1)
    assert (part.text, part.first_line, part.cut) == ("second\n", 2, True)


async def test_w5_a_long_file_is_cut_at_whole_lines_and_says_so(files: WorkspaceFiles, root: Path) -> None:
    (root / "long").write_text("x" * 99 + "\n" + ("y" * 999 + "\n") * 100)
    content = await files.read("long")
    assert content.cut
    assert content.text.endswith("y\n")
    assert len(content.text) <= workspace_files.READ_BYTES
    (root / "line").write_text("z" * 100_000)
    line = await files.read("line")
    assert (len(line.text), line.cut) == (workspace_files.READ_BYTES, True)


async def test_w5_listing_names_folders_and_skips_machinery(files: WorkspaceFiles) -> None:
    listing = await files.list()
    assert listing.names == (".git/", "picture", "src/", "src/deep/", "src/one.py")
    assert (await files.list("src", depth=9)).names == ("deep/", "deep/two.py", "one.py")
    assert (await files.list("src/one.py")).names == ("src/one.py",)


async def test_w5_a_long_listing_says_that_it_was_cut(files: WorkspaceFiles, root: Path) -> None:
    for number in range(workspace_files.LISTED + 1):
        (root / "src" / f"{number}").touch()
    listing = await files.list("src")
    assert (len(listing.names), listing.cut) == (workspace_files.LISTED, True)


async def test_w5_search_finds_lines_in_any_case_in_text_files_only(files: WorkspaceFiles) -> None:
    found = await files.search("SECOND")
    assert [(hit.path, hit.line, hit.text) for hit in found.hits] == [
        ("src/deep/two.py", 1, "Second again"),
        ("src/one.py", 2, "second"),
    ]
    assert [hit.path for hit in (await files.search("second", "src/one.py")).hits] == ["src/one.py"]
    assert [hit.path for hit in (await files.search("second", "src/")).hits] == ["src/deep/two.py", "src/one.py"]


async def test_w5_search_is_bounded(files: WorkspaceFiles, root: Path, audited: Audited) -> None:
    (root / "many").write_text("needle\n" * (workspace_files.FOUND + 1))
    found = await files.search("needle")
    assert (len(found.hits), found.cut) == (workspace_files.FOUND, True)
    (root / "huge").write_text("straw\n" * 200_000)
    assert (await files.search("straw")).hits == ()
    with pytest.raises(NotAllowed, match="what to search"):
        await files.search("")
    assert audited == [(".", "Say what to search for.")]


async def test_w5_writing_makes_folders_and_gives_hashes(files: WorkspaceFiles, root: Path) -> None:
    made = await files.write("new/deep/file.txt", "hello")
    assert (made.before, made.after, made.size) == (None, _hash("hello"), 5)
    (root / "new/deep/file.txt").chmod(0o755)
    changed = await files.write(str(root / "new/deep/file.txt"), "bye")
    assert (changed.before, changed.after) == (_hash("hello"), _hash("bye"))
    assert (root / "new/deep/file.txt").stat().st_mode & 0o777 == 0o755
    assert [file.name for file in (root / "new/deep").iterdir()] == ["file.txt"]


async def test_w5_editing_replaces_what_is_there_exactly_once(files: WorkspaceFiles, root: Path) -> None:
    written = await files.edit("src/one.py", "second", "zweite")
    assert (root / "src/one.py").read_text() == "first\nzweite\nthird\n"
    assert written.before == _hash("first\nsecond\nthird\n")
    with pytest.raises(NotAllowed, match="0 times"):
        await files.edit("src/one.py", "second", "x")
    with pytest.raises(NotAllowed, match="0 times"):
        await files.edit("src/one.py", "", "x")
    with pytest.raises(NotAllowed, match="2 times"):
        await files.edit("src/one.py", "ir", "x")
    with pytest.raises(Unknown, match=r"no none\.py here"):
        await files.edit("none.py", "a", "b")


async def test_p10_what_changed_is_told_and_can_be_told_before(files: WorkspaceFiles, root: Path) -> None:
    edit, write = {"path": "src/one.py", "old": "second", "new": "zweite"}, {"path": "new.txt", "text": "a\n"}
    before = [await files.preview("edit_file", edit), await files.preview("write_file", write)]
    assert ((root / "src/one.py").read_text(), (root / "new.txt").exists()) == ("first\nsecond\nthird\n", False)
    assert before == [(await files.edit(**edit)).diff, (await files.write(**write)).diff]
    assert before[0].splitlines()[2:] == ["@@ -1,3 +1,3 @@", " first", "-second", "+zweite", " third"]
    assert await files.preview("write_file", write) == ""
    with pytest.raises(NotAllowed, match="0 times"):
        await files.preview("edit_file", edit)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("run_command", {"command": "x"}),
        ("write_file", {"path": "a"}),
        ("edit_file", {"path": 1, "old": "", "new": ""}),
    ],
)
async def test_p11_what_nobody_can_know_beforehand_is_said_to_be_so(
    files: WorkspaceFiles, tool: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(Unknown, match=f"What {tool} would change is not known"):
        await files.preview(tool, arguments)


async def test_w5_a_preview_sees_no_more_than_the_tool(files: WorkspaceFiles) -> None:
    with pytest.raises(NotAllowed, match="leads out"):
        await files.preview("write_file", {"path": "../secret", "text": "x"})


async def test_b11_a_file_is_handed_over_as_bytes(files: WorkspaceFiles) -> None:
    assert await files.open_for_sending("picture") == b"\x89PNG\0second"


async def test_b11_a_file_that_is_too_large_is_not_sent(files: WorkspaceFiles, root: Path) -> None:
    with (root / "sparse").open("wb") as file:
        file.truncate(workspace_files.SENT_BYTES + 1)
    with pytest.raises(NotAllowed, match="50,000,001 bytes; the limit is 50,000,000"):
        await files.open_for_sending("sparse")


Use = Callable[[WorkspaceFiles], Awaitable[object]]
REFUSED: dict[str, tuple[Use, type[RequestError], str]] = {
    "out": (lambda files: files.read("../secret"), NotAllowed, r"\.\./secret leads out of the workspace"),
    "missing": (lambda files: files.read("nothing"), Unknown, "There is no nothing here"),
    "missing folder": (lambda files: files.list("nothing"), Unknown, "There is no nothing here"),
    "through a file": (lambda files: files.write("picture/x", "x"), Unknown, "There is no picture/x here"),
    "folder": (lambda files: files.read("src"), NotAllowed, "src is not a file"),
    "write folder": (lambda files: files.write("src", "x"), NotAllowed, "src is not a file"),
    "write root": (lambda files: files.write(".", "x"), NotAllowed, "is not a file"),
    "no text": (lambda files: files.read("picture"), NotAllowed, "picture is not text"),
    "hard link": (lambda files: files.read("hard"), NotAllowed, "more than one hard link"),
    "hard link sent": (lambda files: files.open_for_sending("hard"), NotAllowed, "more than one hard link"),
    "hard link written": (lambda files: files.write("hard", "x"), NotAllowed, "more than one hard link"),
    "pipe": (lambda files: files.read("pipe"), NotAllowed, "pipe is not a file"),
    "socket": (lambda files: files.read("socket"), NotAllowed, "socket cannot be used"),
    "write link": (lambda files: files.write("link", "x"), NotAllowed, "is a link"),
    "write dangling link": (lambda files: files.write("dangling", "x"), NotAllowed, "is a link"),
    "nul": (lambda files: files.read("a\0b"), NotAllowed, r"a\?b cannot be used"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_w5_refusals_are_sentences_and_audited(
    files: WorkspaceFiles, root: Path, audited: Audited, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    (root.parent / "secret").write_text("secret")
    os.link(root.parent / "secret", root / "hard")
    os.mkfifo(root / "pipe")
    (root / "link").symlink_to("src/one.py")
    (root / "dangling").symlink_to("nowhere")
    use, kind, sentence = REFUSED[name]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("socket")
    with listener, pytest.raises(kind, match=sentence) as refusal:
        await use(files)
    assert [told for _, told in audited] == [str(refusal.value)]


@pytest.fixture
def checkout(root: Path) -> WorkspaceFiles:
    (root / ".env").write_text("secret")
    (root / "data").mkdir()
    (root / "data" / "notes").write_text("secret")
    (root / "env-link").symlink_to(".env")
    (root / "data-link").symlink_to("data")
    return WorkspaceFiles(policy_for(root, Product(root, (root / ".env", root / "data"))))


@pytest.mark.parametrize("path", [".env", "env-link", "data/notes", "data-link/notes", "src/../.env"])
async def test_w4_masked_files_do_not_exist(checkout: WorkspaceFiles, path: str) -> None:
    with pytest.raises(Unknown):
        await checkout.read(path)
    with pytest.raises(RequestError):
        await checkout.write(path, "x")


async def test_w4_masked_files_are_not_listed_or_searched(checkout: WorkspaceFiles) -> None:
    assert not {".env", "data/"} & set((await checkout.list()).names)
    assert (await checkout.search("secret")).hits == ()


async def test_w4_the_running_code_cannot_be_written(checkout: WorkspaceFiles, root: Path) -> None:
    for path in ("src/one.py", "src/new.py", "new/deep/x"):
        with pytest.raises(NotAllowed, match="read-only here"):
            await checkout.write(path, "x")
    assert not (root / "new").exists()


async def test_w4_no_link_leads_into_what_may_not_change(root: Path) -> None:
    (root / "product").mkdir()
    (root / "product" / "data").mkdir()
    (root / "way").symlink_to("product")
    product = Product(root / "product", (root / "product" / "data", root / "lonely"))
    files = WorkspaceFiles(policy_for(root, product))
    with pytest.raises(NotAllowed, match="read-only"):
        await files.write("way/x", "x")
    with pytest.raises(NotAllowed, match="read-only"):
        await files.write("way/new/x", "x")
    with pytest.raises(NotAllowed, match="Valor itself"):
        await files.write("lonely", "x")
    assert [entry.name for entry in (root / "product").iterdir()] == ["data"]


async def test_w5_a_file_that_cannot_take_its_place_leaves_no_draft(root: Path) -> None:
    folder = os.open(root, os.O_RDONLY)
    with pytest.raises(IsADirectoryError):
        workspace_files._put(folder, "src", b"x")
    os.close(folder)
    assert list(root.glob(".src*")) == []


async def test_w5_a_draft_that_fails_leaves_nothing(files: WorkspaceFiles, root: Path) -> None:
    with pytest.raises(NotAllowed, match="File name too long"):
        await files.write("n" * 300, "x")
    assert not list(root.glob(".n*"))
