"""Bad input: a database that is full, locked or read-only for a while, under real processes.

Both stay alive, nothing is lost or repeated, the owner gets a clear sentence, and work goes on by itself.
"""

from __future__ import annotations

import contextlib
import errno
import json
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from tests.acceptance.script_model import command, do, write
from tests.acceptance.story import Story, told_in
from tests.world.telegram import Person, SentMessage

LOCKED_SECONDS = 31
FILLER = 64 * 1024


@pytest.fixture(scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Story]:
    async with told_in(tmp_path_factory.mktemp("trouble")) as story, story.product.running():
        yield story
        assert await story.audit() == []


async def test_bad_input_a_database_locked_for_half_a_minute(story: Story) -> None:
    async with going_on(story) as began, story.product.explaining():
        with locked(story.home / "system.db"):
            since = time.monotonic()
            asked = story.world.say(story.friend(), story.valor, "Are you locked out?")
            began.finish()
            await story.until(lambda: "locked by another program" in database_sentence(story))
            await story.until(lambda: time.monotonic() - since > LOCKED_SECONDS, 40)
            assert story.answers(asked) == []
        assert [answer.text for answer in await story.settled(asked)] == ["Echo: Are you locked out?"]


async def test_bad_input_a_database_that_is_read_only_for_a_while(story: Story) -> None:
    # The third file is memory that SQLite shares; a disk that goes away beneath that ends the process, and no more.
    files = [story.home / "system.db", story.home / "system.db-wal"]
    async with going_on(story) as began, story.product.explaining():
        with immutable(files):
            asked = story.world.say(story.friend(), story.valor, "Can you write?")
            began.finish()
            await story.until(lambda: "is read-only" in database_sentence(story))
            assert story.answers(asked) == []
        assert [answer.text for answer in await story.settled(asked)] == ["Echo: Can you write?"]


async def test_bad_input_a_database_whose_disk_is_full(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("full")
    with small_disk() as small:
        async with told_in(folder, DATABASE_URL=f"sqlite:///{small / 'system.db'}") as story:
            (story.home / "system.db").symlink_to(small / "system.db")
            async with story.product.running(), story.product.explaining():
                await hold_out_while_full(story, small / "filler")
                assert await story.audit() == []


async def hold_out_while_full(story: Story, filler: Path) -> None:
    async with going_on(story) as began:
        fill(filler)
        asked = story.world.say(story.friend(), story.valor, "Is there room?")
        began.finish()
        await story.until(lambda: "is full: free some space" in database_sentence(story))
        assert story.answers(asked) == []
        filler.unlink()
        assert [answer.text for answer in await story.settled(asked)] == ["Echo: Is there room?"]


class Begun:
    """A promise in the middle of a command, which ends when it is told to."""

    def __init__(self, story: Story, friend: Person) -> None:
        script = do(
            command("touch begun; until [ -e go ]; do sleep 0.05; done"), write("end.txt", "1"), say="Held out."
        )
        self.work = story.private_work(friend)
        self.asked: SentMessage = story.world.say(friend, story.valor, f"/promise {script}")

    def finish(self) -> None:
        (self.work / "go").touch()


@contextlib.asynccontextmanager
async def going_on(story: Story) -> AsyncGenerator[Begun]:
    """In the block the trouble; after it the promise is kept, the owner knows, and no process was started anew."""
    await story.settled(story.world.say(story.olivia, story.valor, "ping"))  # the owner's chat is known by this
    begun = Begun(story, story.friend())
    await story.until((begun.work / "begun").exists)
    pids, alerts = [story.product.pid(part) for part in ("server", "worker")], len(alerts_in(story))
    yield begun
    told = await story.until(lambda: next((a for a in story.answers(begun.asked) if "is done" in a.text), None))
    assert "Held out." in told.text
    await story.until(lambda: len(alerts_in(story)) > alerts)
    await story.until(lambda: "is up to date" in database_sentence(story))
    assert [story.product.pid(part) for part in ("server", "worker")] == pids


def alerts_in(story: Story) -> list[str]:
    said = story.world.messages(story.world.dm(story.olivia, story.valor), story.valor)
    return [message.text for message in said if message.text.startswith("For a while nothing could be written: ")]


def database_sentence(story: Story) -> str:
    """What `/health` says of the database."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{story.product.port}/health", timeout=5) as answer:
            body = json.load(answer)
    except urllib.error.HTTPError as error:
        body = json.load(error)
    return body["components"]["database"]["sentence"]


@contextlib.contextmanager
def locked(file: Path) -> Generator[None]:
    """Another program holds the write lock."""
    shell = subprocess.Popen(["sqlite3", str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write(".timeout 20000\nBEGIN IMMEDIATE;\nSELECT 'held';\n")
    shell.stdin.flush()
    assert shell.stdout.readline() == "held\n"
    try:
        yield
    finally:
        shell.communicate("ROLLBACK;\n.quit\n")


@contextlib.contextmanager
def immutable(files: list[Path]) -> Generator[None]:
    """Nobody may write them, not even who has them open; only root can do so, on a file system that has it."""
    names = [str(file) for file in files]
    if subprocess.run(["chattr", "+i", *names], check=False, capture_output=True).returncode:
        pytest.skip("chattr +i needs root and a file system that knows it")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *names], check=True)


@contextlib.contextmanager
def small_disk() -> Generator[Path]:
    """A disk of its own of 4 MB; only root can mount it. Not in the tests' folder: pytest cannot clear that of a disk
    that was left mounted because the test was killed."""
    with tempfile.TemporaryDirectory(prefix="small-disk-", ignore_cleanup_errors=True) as folder:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=False).returncode:
            pytest.skip("mounting needs root")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filling:
        try:
            while True:
                filling.write(b"\0" * FILLER)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
