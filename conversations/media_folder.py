"""The files of data/media: `in/NUMBER` what an attachment held, `out/KEY` what is to be sent."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from anyio import to_thread


class MediaFolder:
    """Whole files only: what is there was written to its end, and is on the disk when `keep` returns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def keep(self, place: str, content: bytes) -> None:
        await to_thread.run_sync(self._write, self._folder / place, content)

    async def load(self, place: str) -> bytes | None:
        """None where there is no such file (any more)."""
        return await to_thread.run_sync(self._read, self._folder / place)

    async def has(self, place: str) -> bool:
        return await to_thread.run_sync((self._folder / place).exists)

    async def names(self, kind: str, older_than: float) -> list[str]:
        """The files of `in` or `out` that were written before that moment, in seconds since the epoch."""
        return await to_thread.run_sync(self._names, kind, older_than)

    async def remove(self, places: Iterable[str]) -> None:
        await to_thread.run_sync(self._unlink, list(places))

    def _write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @staticmethod
    def _read(path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def _names(self, kind: str, older_than: float) -> list[str]:
        """Drafts that a killed process left are among them."""
        folder, found = self._folder / kind, list[str]()
        for path in folder.iterdir() if folder.is_dir() else ():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < older_than:
                    found.append(path.name)
        return found

    def _unlink(self, places: list[str]) -> None:
        for place in places:
            (self._folder / place).unlink(missing_ok=True)
