"""Fences for runs: the same policy for turns, promises and command lines."""

from __future__ import annotations

from dataclasses import dataclass

from core.audit import Audit
from core.audit_store import Refused
from core.clock import Clock
from core.edges import Edge, no_edge
from core.settings import Settings
from core.workspaces import Workspace
from runtime.directory_lock import DirectoryLocks
from runtime.fence import Fence
from runtime.policy import Product, policy_for
from runtime.sandbox import Sandbox
from runtime.workspace_files import WorkspaceFiles


@dataclass(frozen=True, slots=True)
class Fences:
    """Makes the fence of each run. `sandbox` None: no commands on this machine."""

    product: Product
    locks: DirectoryLocks
    sandbox: Sandbox | None
    clock: Clock
    audit: Audit
    edge: Edge = no_edge

    def fence_for(self, workspace: Workspace, marker: str, who: str) -> Fence:
        """The fence of one attempt at a run on a workspace, whose directory is made when it is one of Valor's own."""
        if workspace.is_private:
            workspace.directory.mkdir(parents=True, exist_ok=True)
        policy = policy_for(workspace.directory, self.product, network=workspace.network)

        def note(path: str, sentence: str) -> None:
            self.audit.note(Refused("fence", sentence, place=workspace.name))

        files = WorkspaceFiles(policy, note)
        return Fence(files, policy, self.sandbox, self.locks, who, marker, self.clock, self.edge)


def product_of(settings: Settings) -> Product:
    """What no workspace may see or change of this installation."""
    home = settings.home
    data = (
        settings.env_file,
        settings.token_path,
        settings.data_dir,
        settings.logs_dir,
        settings.workspaces_dir,
        settings.workspace_config_path,
        settings.database_path,
        settings.huey_path,
        home / "server.pid",
        home / "huey.pid",
    )
    return Product(settings.project, data, (settings.http_port,))
