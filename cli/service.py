"""What scripts/start.sh and scripts/stop.sh do (S1, S2): `python -m cli.service start|stop`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import psutil

from cli.client import Address, Client
from cli.ending import end_all
from cli.readiness import NotReady, Readiness, describe_parts
from cli.records import Part, Records
from cli.supervise import PROGRAMS
from core import checks
from core.checks import Finding, Status
from core.errors import ConfigurationError, SessionError, ValorError
from core.lock_file import held
from core.secret_token import ensure_token
from core.settings import Settings, load_settings

PROJECT = Path(__file__).resolve().parent.parent
SIGN_IN = "scripts/telegram_login.sh"
WAIT_SECONDS = 90.0
LOCK_SECONDS = 120.0  # for another start or stop that is under way


def start(settings: Settings, *, supervised: bool, seconds: float) -> None:
    """Bring everything up and say what is up. Raises ValorError with the reason when that fails; nothing runs then."""
    records = Records(settings.home)
    token = prepare(settings)
    running = records.running()
    if {Part.SERVER, Part.WORKER} <= running.keys():
        print("Valor runs already: " + ", ".join(f"{part} (pid {owner.pid})" for part, owner in running.items()) + ".")
    else:
        end_all(records)  # what an accident left of an earlier start
        check_before(settings)
        launch(records, supervised=supervised)
    try:
        health = Readiness(Client(Address.of(settings), token), records).wait(seconds)
    except NotReady:
        if not running:
            end_all(records)
        raise
    print("\n".join(describe_parts(health)))
    print(f"Page: {Address.of(settings)}/?token={token}")
    print(f"Logs: {settings.logs_dir}/agent_system.log and huey.log. Stop: scripts/stop.sh")


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
    with records.output(part).open("ab") as output:
        process = subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    records.note(part, process.pid)


def stop(settings: Settings) -> None:
    """End exactly what `start` started. Raises Busy when something will not die."""
    ended = end_all(Records(settings.home))
    if ended:
        print("Stopped: " + ", ".join(f"{part} (pid {owner.pid})" for part, owner in ended.items()) + ".")
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


def act(options: argparse.Namespace) -> None:
    settings = load_settings(PROJECT)
    try:
        with held(settings.data_dir / "service.lock", LOCK_SECONDS):
            if options.command == "stop":
                stop(settings)
            else:
                start(settings, supervised=not options.no_supervise, seconds=options.wait)
    except OSError as error:
        raise ConfigurationError([f"{error.filename or settings.home} cannot be used: {error.strerror}."]) from error


def main(arguments: list[str]) -> int:
    try:
        act(parse(arguments))
    except ConfigurationError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return 1
    except ValorError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
