"""Finding agents by name, and how an agent is when its parts are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.checks import Status
from core.errors import Unknown
from runtime.manifest import AgentManifest

DOWN = (Status.UNHEALTHY, Status.OFF)


def check_names(manifests: Sequence[AgentManifest]) -> None:
    """Raise ValueError when two agents have one name."""
    names = [manifest.name for manifest in manifests]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"Two agents are named {', '.join(twice)}.")


def find_agent(manifests: Sequence[AgentManifest], name: str) -> AgentManifest:
    """The agent of that name, in any case. Raises Unknown with the choices."""
    for manifest in manifests:
        if manifest.name == name.lower():
            return manifest
    choices = ", ".join(manifest.name for manifest in manifests)
    raise Unknown(f"There is no agent {name!r}: choose one of {choices}.")


def status_of(manifest: AgentManifest, parts: Mapping[str, Status]) -> Status:
    """How an agent is: a required part that is down makes it unhealthy, a wanted one degraded."""
    if any(parts.get(part) in DOWN for part in manifest.requires):
        return Status.UNHEALTHY
    if any(parts.get(part) is Status.STARTING for part in manifest.requires):
        return Status.STARTING
    if any(parts.get(part) in (*DOWN, Status.DEGRADED) for part in manifest.requires | manifest.wants):
        return Status.DEGRADED
    return Status.HEALTHY
