"""The loss of power, as far as files show it: the database as it is at a random write, opened elsewhere."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Iterable
from pathlib import Path

from scripts.experiments.play import PARTS
from scripts.experiments.spoken import said_by_us
from scripts.experiments.stand import Stand

LONGEST_TAIL = 6_000  # bytes of a write that did not reach its end
SOUND = {
    "a settled promise that nobody was told of": """
        SELECT id FROM promises p WHERE status IN ('completed', 'failed', 'cancelled') AND NOT EXISTS (
            SELECT 1 FROM deliveries d WHERE d.promise_id = p.id AND d.kind IN ('result', 'notice'))""",
    "an ended turn without an answer": """
        SELECT id FROM turns t WHERE status NOT IN ('open', 'running') AND NOT EXISTS (
            SELECT 1 FROM deliveries d WHERE d.turn_id = t.id)""",
    "a message to be answered by nobody": "SELECT id FROM messages WHERE answer AND turn_id IS NULL",
    "a damaged file": "SELECT 1 FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
}


async def lose_power(stand: Stand) -> None:
    """One part dies at a commit, or both are halted at any moment; what the disk holds then is opened elsewhere."""
    play, chance = stand.play, stand.chance
    part = chance.choice(PARTS)
    commits = [name.partition(" ")[2] for name in sorted(play.tally.points) if name.startswith(part)]
    point = chance.choice(["", *(name for name in commits if "-commit" in name)])
    life = await stand.restart(part, point)
    for _ in range(3):
        stand.ask(chance.choice(("ask", "work", "keep")))
    await stand.see_end(life, chance.random() if not point else 1.5)
    living = [one for one in play.now.values() if not one.is_over]
    for one in living:
        one.stop()
    await stand.comes(lambda: all(one.is_halted for one in living))
    keys = [one.random_id or 0 for one in said_by_us(play.scene.world, play.scene.cast) if not one.sender.is_bot]
    copy = copy_files(play.scene.home, play.scene.home.parent / "elsewhere", chance)
    for one in living:
        one.go_on()
    play.violate([f"after a power loss: {line}" for line in look_at(copy, keys)])


def copy_files(home: Path, folder: Path, chance: random.Random) -> Path:
    """Copy the database, with a torn write at its end.

    By another process: whoever closes a file lets go of all locks that his process has on it, SQLite's own included.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    subprocess.run(["cp", *map(str, home.glob("system.db*")), str(folder)], check=True)
    (folder / "system.db-shm").unlink(missing_ok=True)
    with (folder / "system.db-wal").open("ab") as log:
        log.write(chance.randbytes(chance.randrange(LONGEST_TAIL)))
    return folder / "system.db"


def look_at(database: Path, told: Iterable[int]) -> list[str]:
    """What is wrong with a copy; `told` are the keys of what people could read in that moment."""
    try:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            wrong = [what for what, sql in SOUND.items() if connection.execute(sql).fetchall()]
            kept = {row[0] for row in connection.execute("SELECT random_id FROM deliveries")}
    except sqlite3.DatabaseError as error:
        return [f"a damaged file: {error}"]
    return wrong + [f"told, but not on the disk: {key}" for key in told if key not in kept]
