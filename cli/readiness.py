"""Waiting until the product answers, and saying how its parts are."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from cli.client import Client
from cli.records import Part, Records
from core.checks import ACCOUNT, BOT, SELF_PING, WORKER, Status
from core.errors import OwnerError
from core.owner import Owner

PAUSE_SECONDS = 0.05
SETTLING_SECONDS = 6.0
LAST_WORDS = 12
MARKS = {Status.HEALTHY: "up", Status.OFF: "off", Status.STARTING: "starting"}
FAILED = {Status.UNHEALTHY, Status.DEGRADED}


class NotReady(OwnerError):
    """The start did not succeed; the sentence says why."""


class Readiness:
    """Watches server and worker come up."""

    def __init__(self, client: Client, records: Records) -> None:
        self._client = client
        self._records = records
        self._seen: dict[Part, Owner] = {}

    def wait(self, seconds: float, settling: float = SETTLING_SECONDS) -> dict[str, Any]:
        """The health, once the self-ping has returned and the worker runs. Raises NotReady.

        Parts that are starting then get `settling` seconds more, so that it can be said how they are.
        """
        health = self._wait_for(self._is_ready, seconds)
        if health is None or not self._is_ready(health):
            raise NotReady(f"Valor was not ready after {seconds:.0f} s. " + " ".join(describe_faults(health)))
        return self._wait_for(is_settled, settling) or health

    def _wait_for(self, wish: Callable[[dict[str, Any]], bool], seconds: float) -> dict[str, Any] | None:
        """The first health that is as wished, else the last one."""
        until = time.monotonic() + seconds
        health: dict[str, Any] | None = None
        while time.monotonic() < until:
            health = self._look() or health
            if health is not None and wish(health):
                return health
            time.sleep(PAUSE_SECONDS)
        return health

    def _look(self) -> dict[str, Any] | None:
        for part in (Part.SERVER, Part.WORKER):
            self._watch(part)
        server = self._seen.get(Part.SERVER)
        health = self._client.health() if server else None
        return health if health and server and health.get("pid") == server.pid else None

    def _watch(self, part: Part) -> None:
        """Remember the process that was started; its end before it is ready is the reason to give up."""
        now = self._records.find(part)
        before = self._seen.get(part)
        if before is not None and now != before:
            raise NotReady(f"The {part} ended during the start. {self._last_words(part)}".strip())
        if now is not None:
            self._seen[part] = now

    def _last_words(self, part: Part) -> str:
        said = self._records.output(part).read_text(errors="replace").strip()
        return "\n".join(said.splitlines()[-LAST_WORDS:])

    def _is_ready(self, health: dict[str, Any]) -> bool:
        parts = health["components"]
        ping = parts.get(SELF_PING, {})
        for front in (parts.get(ACCOUNT, {}), parts.get(BOT, {})):
            if front.get("status") == Status.UNHEALTHY:
                raise NotReady(front["sentence"])
        if ping.get("status") in FAILED:
            raise NotReady(f"The self-ping did not return: {ping['sentence']} " + " ".join(describe_faults(health)))
        return ping.get("status") == Status.HEALTHY and parts.get(WORKER, {}).get("status") == Status.HEALTHY


def is_settled(health: dict[str, Any]) -> bool:
    return all(part["status"] != Status.STARTING for part in health["components"].values())


def describe_parts(health: dict[str, Any]) -> list[str]:
    """One line for each part: whether it is up, and what it says of itself."""
    width = max(len(name) for name in health["components"])
    return [
        f"{MARKS.get(part['status'], part['status']):9} {name:{width}}  {part['sentence']}"
        for name, part in health["components"].items()
    ]


def describe_faults(health: dict[str, Any] | None) -> list[str]:
    if health is None:
        return ["The server did not answer."]
    parts = health["components"].items()
    return [f"{name}: {part['sentence']}" for name, part in parts if part["status"] not in (Status.HEALTHY, Status.OFF)]
