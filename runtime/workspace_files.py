"""The files of one workspace: read, list, search, write, edit, open for sending. Never outside, never what is masked.

The kernel refuses ways out while it opens (`runtime.beneath`); masks and read-only places are looked up for what was
really opened. Files with a second hard link may be anyone's and are refused. Every refusal is audited.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from anyio import to_thread

from core.errors import NotAllowed, RequestError, Unknown
from runtime.beneath import Beneath, is_regular, make_directories, real_path
from runtime.diffs import DIFF, unified
from runtime.policy import FencePolicy

READ_BYTES = 48_000
SEARCHED_BYTES = 1_000_000
SEARCHED_FILES = 20_000
EDITED_BYTES = 10_000_000
SENT_BYTES = 50_000_000
LISTED = 500
FOUND = 100
LINE_CHARACTERS = 300
PREVIEWED = frozenset({"write_file", "edit_file"})  # tools that change what their arguments say, and nothing else
SKIPPED = frozenset({".git", ".venv", "node_modules", "__pycache__"})

Audit = Callable[[str, str], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Content:
    """A part of a text file, from line `first_line` (1 is the first); `lines` is the file's whole number.

    `cut` says that more follows. `sha256` is of the whole file.
    """

    path: str
    text: str
    first_line: int
    lines: int
    cut: bool
    sha256: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Names beneath `path`, folders with a closing slash; `cut` when there are more than were listed."""

    path: str
    names: tuple[str, ...]
    cut: bool


@dataclass(frozen=True, slots=True)
class Hit:
    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Hits:
    hits: tuple[Hit, ...]
    cut: bool


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written: its hash before (None: it is new) and after, its size in bytes, and what changed."""

    path: str
    before: str | None
    after: str
    size: int
    diff: str

    @property
    def evidence(self) -> Mapping[str, Any]:
        return {"kind": "file", "path": self.path, "before": self.before, "after": self.after, DIFF: self.diff}


class WorkspaceFiles:
    """`audit` is told what was refused, as (path, sentence). Calls raise NotAllowed and Unknown, in one sentence."""

    def __init__(self, policy: FencePolicy, audit: Audit | None = None) -> None:
        self.policy = policy
        self._audit = audit or audit_nothing

    async def read(self, path: str, first_line: int = 1, lines: int | None = None) -> Content:
        """At most READ_BYTES of whole lines from `first_line` on."""
        return await self._run(
            path, lambda root: _select(path, self._load(root, path, EDITED_BYTES), first_line, lines)
        )

    async def list(self, path: str = ".", depth: int = 2) -> Listing:
        """Folders and files to `depth` levels; of what is only machinery (`.git`, …) the name alone."""
        return await self._run(path, lambda root: self._list(root, path, depth))

    async def search(self, text: str, path: str = ".") -> Hits:
        """Lines that hold `text`, in any case, in up to SEARCHED_FILES text files of up to SEARCHED_BYTES each."""
        return await self._run(path, lambda root: self._search(root, text, path))

    async def write(self, path: str, text: str) -> Written:
        """Make or replace the file at once (others see the old one or the new one), with its folders."""
        return await self._run(path, lambda root: self._replace(root, path, lambda _: text.encode()))

    async def put(self, path: str, content: bytes) -> Written:
        """The same for what is no text."""
        return await self._run(path, lambda root: self._replace(root, path, lambda _: content))

    async def edit(self, path: str, old: str, new: str) -> Written:
        """Put `new` in the place of `old`, which must be there exactly once."""
        return await self._run(path, lambda root: self._replace(root, path, partial(_edited, path, old=old, new=new)))

    async def preview(self, tool: str, arguments: Mapping[str, Any]) -> str:
        """What a call of one of the tools in PREVIEWED would change, as a diff; '' where that is nothing."""
        match tool, arguments:
            case "write_file", {"path": str(path), "text": str(text)}:
                return await self._run(path, lambda root: self._compare(root, path, lambda _: text.encode()))
            case "edit_file", {"path": str(path), "old": str(old), "new": str(new)}:
                work = partial(_edited, path, old=old, new=new)
                return await self._run(path, lambda root: self._compare(root, path, work))
            case _:
                raise Unknown(f"What {tool} would change is not known before it has run.")

    async def open_for_sending(self, path: str) -> bytes:
        """The whole file, at most SENT_BYTES: what goes to a chat is opened here, never by its name elsewhere."""
        return await self._run(path, lambda root: self._load(root, path, SENT_BYTES))

    async def _run(self, path: str, work: Callable[[Beneath], T]) -> T:
        try:
            return await to_thread.run_sync(self._work, path, work)
        except RequestError as refusal:
            self._audit(path, str(refusal))
            raise

    def _work(self, path: str, work: Callable[[Beneath], T]) -> T:
        try:
            with Beneath(self.policy.directory) as root:
                return work(root)
        except OSError as error:
            raise _refusal(path, error) from error

    def _load(self, root: Beneath, path: str, limit: int) -> bytes:
        with self._opened(root, path) as (fd, status):
            if not is_regular(status):
                raise NotAllowed(f"{path} is not a file.")
            if status.st_size > limit:
                raise NotAllowed(f"{path} has {status.st_size:,} bytes; the limit is {limit:,}.")
            with os.fdopen(os.dup(fd), "rb") as file:
                return file.read(limit)

    @contextlib.contextmanager
    def _opened(self, root: Beneath, path: str) -> Generator[tuple[int, os.stat_result]]:
        """A descriptor for reading; nothing waits (a pipe without a writer) and nothing masked passes."""
        fd = root.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            status = os.fstat(fd)
            if self.policy.hides(real_path(fd)):
                raise FileNotFoundError(errno.ENOENT, "masked", path)
            if is_regular(status) and status.st_nlink > 1:
                raise NotAllowed(f"{path} has more than one hard link, so it may belong to someone else.")
            yield fd, status
        finally:
            os.close(fd)

    def _replace(self, root: Beneath, path: str, change: Callable[[bytes | None], bytes]) -> Written:
        relative = Path(root.relative(path))
        if relative.name in {"", ".."}:
            raise NotAllowed(f"{path} is not a file.")
        self._check_writable(root.directory / relative, path)
        before = self._previous(root, path)
        content = change(before)
        self._make_parents(root, relative)
        folder = root.open(str(relative.parent), os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._check_writable(real_path(folder) / relative.name, path)
            _put(folder, relative.name, content)
        finally:
            os.close(folder)
        diff = unified(path, before, content)
        return Written(path, None if before is None else _hash(before), _hash(content), len(content), diff)

    def _compare(self, root: Beneath, path: str, change: Callable[[bytes | None], bytes]) -> str:
        before = self._previous(root, path)
        return unified(path, before, change(before))

    def _make_parents(self, root: Beneath, relative: Path) -> None:
        """Missing folders are made one by one; none through a link into a place that may not change."""
        for parent in reversed(relative.parents[:-1]):
            with contextlib.suppress(FileNotFoundError):
                os.close(root.open(str(parent), os.O_RDONLY | os.O_DIRECTORY))
                continue
            above = root.open(str(parent.parent), os.O_RDONLY | os.O_DIRECTORY)
            try:
                self._check_writable(real_path(above) / parent.name, str(parent))
            finally:
                os.close(above)
            make_directories(root, str(parent))

    def _previous(self, root: Beneath, path: str) -> bytes | None:
        try:
            before = self._load(root, path, EDITED_BYTES)
        except FileNotFoundError:
            before = None
        if _is_link(root, path):
            raise NotAllowed(f"{path} is a link; write to what it leads to.")
        return before

    def _check_writable(self, real: Path, path: str) -> None:
        if self.policy.hides(real):
            raise NotAllowed(f"{path} cannot be written: it belongs to Valor itself.")
        if self.policy.protects(real):
            raise NotAllowed(f"{path} is read-only here.")

    def _list(self, root: Beneath, path: str, depth: int) -> Listing:
        names: list[str] = []
        with self._opened(root, path) as (fd, status):
            if is_regular(status):
                return Listing(path, (path,), cut=False)
            for name in self._walk(root, fd, depth):
                if len(names) == LISTED:
                    return Listing(path, tuple(names), cut=True)
                names.append(name)
        return Listing(path, tuple(names), cut=False)

    def _walk(self, root: Beneath, folder: int, depth: int, prefix: str = "") -> Iterator[str]:
        """Names below an open folder; links are named, never followed."""
        place = real_path(folder)
        for name in sorted(os.listdir(folder)):
            if self.policy.hides(place / name):
                continue
            inner = _open_folder(folder, name)
            yield f"{prefix}{name}/" if inner is not None else f"{prefix}{name}"
            if inner is None:
                continue
            try:
                if depth > 1 and name not in SKIPPED:
                    yield from self._walk(root, inner, depth - 1, f"{prefix}{name}/")
            finally:
                os.close(inner)

    def _search(self, root: Beneath, text: str, path: str) -> Hits:
        if not text:
            raise NotAllowed("Say what to search for.")
        hits: list[Hit] = []
        for count, file in enumerate(self._files(root, path)):
            if count == SEARCHED_FILES:
                return Hits(tuple(hits), cut=True)
            for number, line in enumerate(self._lines(root, file), 1):
                if text.casefold() in line.casefold():
                    if len(hits) == FOUND:
                        return Hits(tuple(hits), cut=True)
                    hits.append(Hit(file, number, line[:LINE_CHARACTERS]))
        return Hits(tuple(hits), cut=False)

    def _files(self, root: Beneath, path: str) -> Iterator[str]:
        with self._opened(root, path) as (fd, status):
            if is_regular(status):
                yield path
                return
            base = "" if path in {".", ""} else f"{path.rstrip('/')}/"
            yield from (base + name for name in self._walk(root, fd, 64) if not name.endswith("/"))

    def _lines(self, root: Beneath, file: str) -> list[str]:
        """A text file's lines; nothing of what cannot be read, is too large or is no text."""
        try:
            content = self._load(root, file, SEARCHED_BYTES)
        except (OSError, NotAllowed):
            return []
        return [] if b"\0" in content[:1024] else content.decode(errors="replace").splitlines()


def audit_nothing(path: str, sentence: str) -> None:
    """The audit of those who keep none."""


def _put(folder: int, name: str, content: bytes) -> None:
    """Write beside the file and rename over it, keeping its permissions."""
    draft = f".{name[:100]}.{secrets.token_hex(6)}"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=folder)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(fd, os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode & 0o777)
            file.flush()
            os.fsync(fd)
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.unlink(draft, dir_fd=folder)
        raise


def _is_link(root: Beneath, path: str) -> bool:
    try:
        os.close(root.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW))
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def _open_folder(folder: int, name: str) -> int | None:
    try:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return None


def _select(path: str, content: bytes, first_line: int, lines: int | None) -> Content:
    if b"\0" in content[:1024]:
        raise NotAllowed(f"{path} is not text.")
    every = content.decode(errors="replace").splitlines(keepends=True)
    asked = every[max(0, first_line - 1) :][:lines]
    chosen: list[str] = []
    room = READ_BYTES
    for line in asked:
        room -= len(line.encode())
        if room < 0:
            chosen += [line.encode()[:READ_BYTES].decode(errors="ignore")] if not chosen else []
            break
        chosen.append(line)
    text = "".join(chosen)
    cut = first_line - 1 + len(chosen) < len(every) or len(text) < len("".join(asked))
    return Content(path, text, first_line, len(every), cut, _hash(content))


def _edited(path: str, was: bytes | None, old: str, new: str) -> bytes:
    if was is None:
        raise Unknown(f"There is no {path} here.")
    count = was.count(old.encode()) if old else 0
    if count != 1:
        raise NotAllowed(f"The text to replace is in {path} {count} times; it must be there exactly once.")
    return was.replace(old.encode(), new.encode())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _refusal(path: str, error: OSError) -> RequestError:
    shown = path.replace("\0", "?")
    if error.errno in {errno.EXDEV, errno.ELOOP}:
        return NotAllowed(f"{shown} leads out of the workspace.")
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return Unknown(f"There is no {shown} here.")
    return NotAllowed(f"{shown} cannot be used: {os.strerror(error.errno or errno.EIO)}.")
