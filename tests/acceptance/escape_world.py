"""Makes the attempts of `attempts.py` and tells what got out; run as a program, as one user, with the fence or without.

`python -m tests.acceptance.escape_world user fence` prints {attempt: {"leaks": […], "output": "…"}} as JSON. Everything
is imported before the privileges are dropped, since the plain user may not be able to read the interpreter's files.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

from anyio import to_thread

from core.errors import RequestError
from runtime import landlock
from runtime.directory_lock import DirectoryLocks
from runtime.fence import Fence
from runtime.policy import FencePolicy, Limits, Product, policy_for
from runtime.process import Job, run, sweep_now
from runtime.sandbox import Bubblewrap, OpenSandbox, Passage, find_sandbox
from runtime.workspace_files import WorkspaceFiles
from tests.acceptance.attempts import ATTEMPTS, Attempt

SECRET_VARIABLE = "VALOR_TEST_SECRET"
NOBODY = 65534
PR_SET_DUMPABLE = 4
AT_HERE, EXCHANGE = -100, 2
LIBC = ctypes.CDLL(None)
RACES = 150
LIMITS = Limits(seconds=5)


@dataclass(frozen=True)
class Scene:
    """One attempt's own world under `base`."""

    base: Path
    secret: str
    names: dict[str, str]

    @property
    def outside(self) -> Path:
        return self.base / "outside"

    @property
    def product(self) -> Path:
        return self.base / "product"

    @property
    def workspace(self) -> Path:
        return self.base / "workspace"

    def fill(self, text: str) -> str:
        for name, value in self.names.items():
            text = text.replace("{" + name + "}", value)
        return text

    def build(self) -> None:
        for folder in (self.outside, self.product, self.workspace):
            folder.mkdir(parents=True)
        (self.outside / "secret.txt").write_text(f"{self.secret}\n")
        (self.product / ".env").write_text(f"KEY={self.secret}\n")
        (self.product / "code.py").write_text("pass\n")

    def state(self) -> dict[str, str]:
        files = [*self.outside.iterdir(), self.product / ".env", self.product / "code.py"]
        return {str(file): file.read_text() for file in files}


class NaiveFiles:
    """File tools without any fence: what the attempts are measured against."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def use(self, tool: str, arguments: dict[str, str]) -> str:
        place = self._directory / arguments["path"]
        if tool == "write_file":
            place.write_text(arguments["text"])
        elif tool == "edit_file":
            place.write_text(place.read_text().replace(arguments["old"], arguments["new"]))
        elif tool == "list_files":
            return " ".join(file.name for file in place.iterdir())
        elif tool == "search_files":
            return " ".join(file.read_text() for file in place.iterdir() if file.is_file())
        else:
            return place.read_text(errors="replace")
        return "done"


class Listener:
    """The product's port or abstract socket: answers with the secret and counts who came."""

    def __init__(self, family: socket.AddressFamily, address: tuple[str, int] | str, secret: str) -> None:
        self._socket = socket.socket(family)
        self._socket.bind(address)
        self._socket.listen()
        self._secret = secret.encode()
        self.hits = 0
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        return self._socket.getsockname()[1]

    def _serve(self) -> None:
        while True:
            caller, _ = self._socket.accept()
            self.hits += 1
            with contextlib.suppress(OSError), caller:
                caller.sendall(self._secret)


class EscapeWorld:
    def __init__(self, fenced: bool, base: Path, secret: str) -> None:
        self.fenced, self.base, self.secret = fenced, base, secret
        self.name = f"valor-{os.urandom(6).hex()}"
        self.sandbox = plain_user_sandbox(base) if os.geteuid() else find_sandbox()
        self.listeners = (
            Listener(socket.AF_INET, ("0.0.0.0", 0), secret),
            Listener(socket.AF_UNIX, f"\0{self.name}", secret),
        )

    @contextlib.contextmanager
    def secrets_around(self) -> Generator[dict[str, str]]:
        """The secret where only a shared system shows it."""
        shared, scratch = Path("/dev/shm") / self.name, Path(tempfile.gettempdir()) / self.name
        shared.write_text(self.secret)
        scratch.write_text(self.secret)
        fd = os.open(shared, os.O_RDONLY)
        os.set_inheritable(fd, True)
        try:
            yield {"shared": str(shared), "scratch": str(scratch), "fd": str(fd)}
        finally:
            os.close(fd)
            shared.unlink()
            scratch.unlink()

    async def make_all(self) -> dict[str, dict[str, object]]:
        with self.secrets_around() as names:
            return {attempt.id: await self.make(attempt, names) for attempt in ATTEMPTS}

    async def make(self, attempt: Attempt, names: dict[str, str]) -> dict[str, object]:
        base = self.base / attempt.id
        own = {
            "secret_file": str(base / "outside/secret.txt"),
            "outside": str(base / "outside"),
            "product": str(base / "product"),
            "parent": str(os.getpid()),
            "port": str(self.listeners[0].port),
            "socket": self.name,
            "name": self.name,
        }
        scene = Scene(base, self.secret, names | own)
        scene.build()
        victim = subprocess.Popen(["sleep", "60"], cwd=scene.outside)
        try:
            scene.names["victim"] = str(victim.pid)
            return await self._watch(attempt, scene, victim)
        finally:
            victim.kill()
            victim.wait()

    async def _watch(self, attempt: Attempt, scene: Scene, victim: subprocess.Popen[bytes]) -> dict[str, object]:
        directory = scene.product if attempt.place == "product" else scene.workspace
        subprocess.run(["sh", "-c", scene.fill(attempt.plant)], cwd=directory, check=True, capture_output=True)
        before, hits = scene.state(), sum(listener.hits for listener in self.listeners)
        outputs: list[str] = []
        with flipping(directory, attempt.flip) as times:
            for _ in range(times):
                outputs.append(await self._use(attempt, scene, directory))
                if self.secret in outputs[-1] or scene.state() != before:
                    break
        everything = "\n".join(outputs)
        leaks = {
            "the secret was read": self.secret in everything,
            "something was reached": "ESCAPED" in everything,
            "something outside changed": scene.state() != before,
            "an outside process was ended": is_ended(victim),
            "a port was reached": sum(listener.hits for listener in self.listeners) > hits,
            "something lives on": sweep_now([self._marker(attempt)]) > 0,
            "the system changed": self._wipe_system(),
        }
        return {"leaks": [leak for leak, happened in leaks.items() if happened], "output": everything[:2000]}

    def _wipe_system(self) -> bool:
        planted = [Path(place, self.name) for place in ("/usr", "/etc")]
        found = [file for file in planted if file.exists()]
        for file in found:
            file.unlink()
        return bool(found)

    async def _use(self, attempt: Attempt, scene: Scene, directory: Path) -> str:
        arguments = {name: scene.fill(value) for name, value in attempt.arguments.items()}
        product = Product(scene.product, (scene.product / ".env",))
        policy = policy_for(directory, product, network=attempt.network, limits=LIMITS)
        try:
            if not self.fenced:
                return await use_openly(attempt, arguments, policy, self._marker(attempt))
            return await use_fenced(self._fence(attempt, policy, scene), attempt.tool, arguments)
        except (RequestError, OSError) as refusal:
            return f"refused: {refusal}"

    def _marker(self, attempt: Attempt) -> str:
        """Several worlds run at once, and none may sweep another's processes away."""
        return f"{self.name}-{attempt.id}"

    def _fence(self, attempt: Attempt, policy: FencePolicy, scene: Scene) -> Fence:
        locks = DirectoryLocks(scene.base / "locks")
        return Fence(WorkspaceFiles(policy), policy, self.sandbox, locks, "the attempt", self._marker(attempt))


async def use_fenced(fence: Fence, tool: str, arguments: dict[str, str]) -> str:
    """One call of a tool of the product; what a model or a chat would be shown."""
    try:
        match tool:
            case "run_command":
                return (await fence.run(arguments["command"])).output
            case "git":
                return (await fence.git(*arguments["arguments"].split())).output
            case "send_file":
                return (await fence.files.open_for_sending(arguments["path"])).decode(errors="replace")
            case _:
                return str(await use_files(fence.files, tool, arguments))
    finally:
        if fence.held is not None:
            fence.held.release()


async def use_files(files: WorkspaceFiles, tool: str, arguments: dict[str, str]) -> object:
    calls: dict[str, Callable[..., Awaitable[object]]] = {
        "read_file": files.read,
        "write_file": files.write,
        "edit_file": files.edit,
        "list_files": files.list,
    }
    if tool == "search_files":
        return await files.search(arguments["text"], arguments["path"])
    return await calls[tool](*arguments.values())


async def use_openly(attempt: Attempt, arguments: dict[str, str], policy: FencePolicy, marker: str) -> str:
    if attempt.tool not in {"run_command", "git"}:
        return NaiveFiles(policy.directory).use(attempt.tool, arguments)
    command = arguments["command"] if attempt.tool == "run_command" else f"git {arguments['arguments']}"
    return (await run(OpenSandbox(), policy, Job(command, Passage(marker)))).output


@contextlib.contextmanager
def flipping(directory: Path, names: tuple[str, str] | None) -> Generator[int]:
    """Two entries change places all the while; how often to try meanwhile."""
    if names is None:
        yield 1
        return
    one, other = (directory / name for name in names)
    done = threading.Event()

    def flip() -> None:
        while not done.is_set():
            LIBC.renameat2(AT_HERE, os.fsencode(one), AT_HERE, os.fsencode(other), EXCHANGE)

    flipper = threading.Thread(target=flip)
    flipper.start()
    try:
        yield RACES
    finally:
        done.set()
        flipper.join()


def is_ended(victim: subprocess.Popen[bytes]) -> bool:
    try:
        victim.wait(0.03)
    except subprocess.TimeoutExpired:
        return False
    return True


def plain_user_sandbox(base: Path) -> Bubblewrap:
    """The fence of a user who may not be able to read this interpreter and this checkout."""
    program = base / "landlock.py"
    program.write_text(LANDLOCK)
    return replace(Bubblewrap(), landlock=("/usr/bin/python3", "-I", "-S", str(program)))


def become(who: str) -> None:
    asyncio.run(to_thread.run_sync(int))  # loads what is loaded late
    if who == "user" and os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        LIBC.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


LANDLOCK = Path(str(landlock.__file__)).read_text()


def main(who: str, mode: str) -> None:
    become(who)
    base = Path(tempfile.mkdtemp(prefix="valor-escape-")).resolve()
    try:
        world = EscapeWorld(mode == "fence", base, os.environ[SECRET_VARIABLE])
        sys.stdout.write(json.dumps(asyncio.run(world.make_all())))
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main(*sys.argv[1:])
