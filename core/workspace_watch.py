"""The configuration file, taken up again when it changes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from core.errors import ConfigurationError
from core.workspace_change import Accept, Edit, change_file
from core.workspace_file import load_workspaces
from core.workspaces import WorkspaceConfig


class WorkspaceFile:
    """The configuration while the product runs: `check` takes up a valid change and keeps the old one otherwise.

    `alert` holds the problems of a change that was not taken up, until the file is valid again. Reads files: call it
    from a thread where an event loop runs.
    """

    def __init__(self, path: Path, allowed_groups: tuple[str, ...] | None, private_root: Path) -> None:
        self.path = path
        self.alert: tuple[str, ...] = ()
        self._allowed_groups = allowed_groups
        self._private_root = private_root
        self._stamp = take_stamp(path)
        self._digest = take_digest(path)
        self.config = load_workspaces(path, allowed_groups, private_root)

    def check(self) -> WorkspaceConfig | None:
        """The new configuration when the file's content changed and is valid, else None."""
        stamp = take_stamp(self.path)
        if stamp == self._stamp:
            return None
        self._stamp, digest = stamp, take_digest(self.path)
        if digest == self._digest:
            return None
        self._digest = digest
        if digest is None:
            self.alert = (f"{self.path.name} is gone or cannot be read: what it said last stays in force",)
            return None
        try:
            self.config = load_workspaces(self.path, self._allowed_groups, self._private_root)
        except ConfigurationError as error:
            self.alert = tuple(error.problems)
            return None
        self.alert = ()
        return self.config

    def change(self, edit: Edit, accept: Accept) -> None:
        """Write a change of our own, and take it up. Raises ConfigurationError, and nothing has changed then.

        `accept` looks at what the configuration would be; what it raises leaves the file as it was as well.
        """

        def check(draft: Path) -> None:
            accept(load_workspaces(draft, self._allowed_groups, self._private_root))

        change_file(self.path, edit, check)
        self.check()


def take_stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes whenever the file does: times, size and number; None without a file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def take_digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
