from __future__ import annotations

import random
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from core.schema import metadata
from scripts.experiments.power import copy_files, look_at

SETTLED = """
    INSERT INTO promises (id, front, chat_id, task_description, task_type, status, created_at, updated_at, workspace,
                          requester_id, role, run_id)
    VALUES (1, 'account', '7', 'task', 'code', 'completed', 0, 0, 'W', 1, 'member', 'run')"""
TOLD = """
    INSERT INTO deliveries (front, chat_id, kind, promise_id, status, text, entities, random_id, created_at)
    VALUES ('account', '7', 'result', 1, 'ready', 'Done.', '[]', 42, 0)"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A database in which a promise is settled and told, with a torn write at its end."""
    engine = create_engine(f"sqlite:///{tmp_path / 'system.db'}")
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(text("PRAGMA journal_mode=WAL"))
        connection.execute(text(SETTLED))
        connection.execute(text(TOLD))
    copied = copy_files(tmp_path, tmp_path / "elsewhere", random.Random(1))
    engine.dispose()
    return copied


def change(database: Path, sql: str) -> None:
    engine = create_engine(f"sqlite:///{database}")
    with engine.begin() as connection:
        connection.execute(text(sql))
    engine.dispose()


def test_a_sound_copy_opens_whatever_was_torn(copy: Path) -> None:
    assert look_at(copy, [42]) == []


def test_what_was_told_must_be_on_the_disk(copy: Path) -> None:
    assert look_at(copy, [42, 43]) == ["told, but not on the disk: 43"]


def test_a_settled_promise_that_nobody_was_told_of_is_found(copy: Path) -> None:
    change(copy, "DELETE FROM deliveries")
    assert look_at(copy, []) == ["a settled promise that nobody was told of"]


def test_a_damaged_copy_is_found(copy: Path) -> None:
    look_at(copy, [])
    content = bytearray(copy.read_bytes())
    content[4096 * 3 : 4096 * 3 + 64] = b"\xff" * 64
    copy.write_bytes(content)
    assert look_at(copy, []) != []
