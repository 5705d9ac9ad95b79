"""The fence of one run: what its tools may do to the workspace, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import anyio

from core.clock import Clock, SystemClock
from core.edges import Edge, around, no_edge
from core.errors import NotAllowed
from runtime.directory_lock import DirectoryLocks, Held, Holder
from runtime.policy import FencePolicy
from runtime.process import Finished, Job, run, sweep
from runtime.sandbox import Passage, Sandbox
from runtime.workspace_files import WorkspaceFiles

NO_FENCE = "Commands are off here, because this machine has no fence for them; `valor doctor` says what mends it."
GIT_DEFUSED = (
    *("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.untrackedCache=false", "core.pager=cat"),
    *("core.attributesFile=/dev/null", "core.sshCommand=false", "core.askPass=false", "core.editor=false"),
    *("diff.external=", "diff.trustExitCode=false", "protocol.allow=never", "submodule.recurse=false"),
    *("credential.helper=", "gc.auto=0", "maintenance.auto=false", "log.showSignature=false", "safe.directory=*"),
)
NO_EXTERNAL = {"diff", "log", "show"}


@dataclass
class Fence:
    """A run's files, commands and its right to write. `sandbox` None: files only, commands are refused."""

    files: WorkspaceFiles
    policy: FencePolicy
    sandbox: Sandbox | None
    locks: DirectoryLocks
    who: str
    marker: str
    clock: Clock = field(default_factory=SystemClock)
    edge: Edge = no_edge
    held: Held | None = None
    _turn: anyio.Lock = field(default_factory=anyio.Lock)

    async def ensure_writer(self) -> None:
        """Take the directory's lock at the first call; raises Busy with who holds it and since when."""
        async with self._turn:
            if self.held is None:
                holder = Holder(self.who, self.marker, self.clock.now())
                self.held = await self.locks.acquire(self.policy.directory, holder)

    async def run(
        self,
        command: str | Sequence[str],
        seconds: float | None = None,
        on_output: Callable[[bytes], None] | None = None,
        stdin: bytes = b"",
    ) -> Finished:
        """Run a command line (or an argument list) as the writer; `seconds` at most the policy's."""
        sandbox = self._sandbox()
        await self.ensure_writer()
        with around(self.edge, "fence.run"):
            return await run(sandbox, self._limited(seconds), Job(command, self._passage(), stdin, on_output))

    async def look(self, command: str | Sequence[str], seconds: float | None = None) -> Finished:
        """Run something of our own that only looks: the directory is read-only for it and needs no lock."""
        limited = self._limited(seconds)
        policy = replace(limited, network=False, read_only=(*limited.read_only, limited.directory))
        with around(self.edge, "fence.look"):
            return await run(self._sandbox(), policy, Job(command, self._passage()))

    async def git(self, *arguments: str) -> Finished:
        """Our own look with git, with everything off that a workspace could have planted."""
        return await self.look(git_argv(arguments))

    async def close(self) -> None:
        """End what the run left behind and give the directory back."""
        held, self.held = self.held, None
        if held is not None:
            try:
                await sweep([self.marker])
            finally:
                held.release()

    def _sandbox(self) -> Sandbox:
        if self.sandbox is None:
            raise NotAllowed(NO_FENCE)
        return self.sandbox

    def _limited(self, asked: float | None) -> FencePolicy:
        seconds = min(asked or self.policy.limits.seconds, self.policy.limits.seconds)
        return replace(self.policy, limits=replace(self.policy.limits, seconds=seconds))

    def _passage(self) -> Passage:
        return Passage(self.marker, None if self.held is None else self.held.fd)


def git_argv(arguments: Sequence[str]) -> tuple[str, ...]:
    """git as we run it ourselves: no hooks, monitors, pagers, helpers or transports, no optional locks.

    A filter or a driver that the workspace's attributes name cannot be switched off by name beforehand: it runs inside
    the fence, read-only and without a network, where it reaches nothing.
    """
    settings = tuple(argument for setting in GIT_DEFUSED for argument in ("-c", setting))
    command, *rest = arguments
    flags = ("--no-ext-diff", "--no-textconv") if command in NO_EXTERNAL else ()
    environment = (
        "GIT_CONFIG_NOSYSTEM=1",
        "GIT_CONFIG_GLOBAL=/dev/null",
        "GIT_OPTIONAL_LOCKS=0",
        "GIT_TERMINAL_PROMPT=0",
    )
    return ("/usr/bin/env", *environment, "git", "--no-pager", *settings, command, *flags, *rest)
