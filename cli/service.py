"""What scripts/start.sh and scripts/stop.sh do (S1, S2): `python -m cli.service start|stop`."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from cli.client import Address, Client
from cli.ending import end_all
from cli.pairing import describe_pairing
from cli.readiness import NotReady, Readiness, describe_parts
from cli.records import Part, Records
from cli.supervise import PROGRAMS
from core import checks
from core.checks import Finding, Status
from core.errors import ConfigurationError, SessionError, ValorError
from core.lock_file import held
from core.owner import Owner
from core.secret_token import ensure_token
from core.settings import Settings, load_settings

PROJECT = Path(__file__).resolve().parent.parent
SIGN_IN = "scripts/telegram_login.sh"
WAIT_SECONDS = 90.0
INTERRUPTED = 130  # what shells say of a program that Ctrl-C ended
LOCK_SECONDS = 120.0  # for another start or stop that is under way


def start(settings: Settings, *, supervised: bool, seconds: float) -> None:
    """Bring everything up and say what is up. Raises ValorError with the reason when that fails; nothing runs then."""
    records = Records(settings.home)
    token = prepare(settings)
    running = records.running()
    was_whole = is_whole(running, supervised=supervised)
    if was_whole:
        print(f"Valor runs already: {list_parts(running)}.")
    else:
        begin(settings, records, supervised=supervised)
    client = Client(Address.of(settings), token)
    try:
        health = Readiness(client, records).wait(seconds)
    except NotReady:
        if not was_whole:
            end_all(records)
        raise
    show(settings, health, client)


def is_whole(running: Mapping[Part, Owner], *, supervised: bool) -> bool:
    """Whether everything runs; without its supervisor a supervised installation would stay down at the next crash."""
    return {*Part} - ({Part.SUPERVISOR} if not supervised else set()) <= running.keys()


def begin(settings: Settings, records: Records, *, supervised: bool) -> None:
    """Start everything, after ending what an accident left. Raises ValorError when a start cannot succeed."""
    left = end_all(records)
    if left:
        print(f"Ended what an earlier start left: {list_parts(left)}.")
    check_before(settings)
    launch(records, supervised=supervised)


def show(settings: Settings, health: dict[str, Any], client: Client) -> None:
    """Say what is up and how to get there. Raises ConfigurationError when the link would not be let in."""
    notes = [f"note      {warning}" for warning in settings.warnings]
    print("\n".join([*notes, *describe_parts(health)]))
    if not client.is_let_in():
        sentence = f"The server runs with another token than {settings.token_path}, which was replaced meanwhile"
        raise ConfigurationError([f"{sentence}: scripts/stop.sh && scripts/start.sh"])
    print("".join(f"{line}\n" for line in describe_pairing(settings, health)), end="")
    print(f"Page: {client.address}/?token={client.token}")
    print(f"Logs: {settings.logs_dir}/agent_system.log and huey.log. Stop: scripts/stop.sh")


def list_parts(parts: Mapping[Part, Owner]) -> str:
    return ", ".join(f"{part} (pid {owner.pid})" for part, owner in parts.items())


def prepare(settings: Settings) -> str:
    """Make the folders and the token. Raises ConfigurationError."""
    finding = checks.check_folder(settings.home)
    if finding.status is Status.UNHEALTHY:
        raise ConfigurationError([told(finding)])
    for folder in (settings.data_dir, settings.logs_dir):
        folder.mkdir(exist_ok=True)
    return ensure_token(settings.token_path)


def check_before(settings: Settings) -> None:
    """Refuse a start that cannot succeed. Raises ConfigurationError with every problem found, or SessionError."""
    looks = (checks.check_python(), checks.check_disk(settings.home), look_at_port(settings))
    problems = [told(finding) for finding in looks if finding.status is Status.UNHEALTHY]
    if problems:
        raise ConfigurationError(problems)
    sign_in_when_needed(settings)


def look_at_port(settings: Settings) -> Finding:
    finding = checks.check_port(settings.host, settings.http_port)
    if finding.status is not Status.DEGRADED:
        return finding
    sentence = f"Port {settings.http_port} is taken{by_whom(settings.http_port)}: end that, or set API_PORT in .env."
    return Finding(Status.UNHEALTHY, sentence)


def by_whom(port: int) -> str:
    """` by process PID (NAME)` as far as this user may see it."""
    try:
        listening = [line.pid for line in psutil.net_connections("tcp") if line.laddr and line.laddr[1] == port]
        return next((f" by process {pid} ({psutil.Process(pid).name()})" for pid in listening if pid), "")
    except psutil.Error:
        return ""


def told(finding: Finding) -> str:
    return f"{finding.sentence} ({finding.mend})" if finding.mend else finding.sentence


def sign_in_when_needed(settings: Settings) -> None:
    """Sign the Telegram account in, where someone is there to answer. Raises SessionError otherwise."""
    session = settings.data_dir / "telegram.session"
    if settings.telegram_api_id is None or (session.exists() and session.stat().st_size):
        return
    is_attended = sys.stdin.isatty() and sys.stdout.isatty()
    if is_attended and subprocess.run([PROJECT / SIGN_IN], check=False).returncode == 0:
        return
    raise SessionError(f"The Telegram account is not signed in: run {SIGN_IN} in a terminal.")


def launch(records: Records, *, supervised: bool) -> None:
    """Start the processes, detached from this one and its terminal."""
    for part in Part:
        records.output(part).write_bytes(b"")
    if supervised:
        detach(records, Part.SUPERVISOR, [sys.executable, "-m", "cli.supervise", str(records.home)])
        return
    for part, program in PROGRAMS.items():
        detach(records, part, [sys.executable, str(program)])


def detach(records: Records, part: Part, command: list[str]) -> None:
    with records.output(part).open("ab") as output, uninterrupted():
        process = subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        records.note(part, process.pid)


@contextmanager
def uninterrupted() -> Generator[None]:
    """Ctrl-C waits for the end of the block: no process shall run that no record names."""
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def stop(settings: Settings) -> None:
    """End exactly what `start` started. Raises Busy when something will not die."""
    ended = end_all(Records(settings.home))
    if ended:
        print(f"Stopped: {list_parts(ended)}.")
    else:
        print("Nothing that scripts/start.sh started is running.")


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/start.sh or scripts/stop.sh")
    commands = parser.add_subparsers(dest="command", required=True)
    starting = commands.add_parser("start", help="bring Valor up and wait until it answers")
    starting.add_argument("--no-supervise", action="store_true", help="a supervisor of your own restarts what dies")
    starting.add_argument("--wait", type=float, default=WAIT_SECONDS, metavar="SECONDS")
    commands.add_parser("stop", help="end what start.sh started")
    return parser.parse_args(arguments)


def describe_interrupt(records: Records) -> str:
    running = records.running()
    if not running:
        return "Interrupted. Nothing runs."
    return f"Interrupted. Still running: {list_parts(running)}. How it is: scripts/start.sh. Stop: scripts/stop.sh"


def act(options: argparse.Namespace) -> int:
    """Do what was asked for; the exit code. Raises ValorError."""
    settings = load_settings(PROJECT)
    try:
        with held(settings.data_dir / "service.lock", LOCK_SECONDS):
            if options.command == "stop":
                stop(settings)
            else:
                start(settings, supervised=not options.no_supervise, seconds=options.wait)
    except OSError as error:
        raise ConfigurationError([f"{error.filename or settings.home} cannot be used: {error.strerror}."]) from error
    except KeyboardInterrupt:
        print(describe_interrupt(Records(settings.home)), file=sys.stderr)
        return INTERRUPTED
    return 0


def main(arguments: list[str]) -> int:
    try:
        return act(parse(arguments))
    except ConfigurationError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return 1
    except ValorError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
