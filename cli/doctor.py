"""What the doctor looks at, and how a terminal shows it (S5): each check, its result, the exact mending command."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cli.client import Address, Client
from core import checks
from core.checks import Check, Finding, Status
from core.errors import FrontError, SessionError
from core.settings import Settings

MARKS = {
    Status.HEALTHY: "ok",
    Status.STARTING: "…",
    Status.OFF: "off",
    Status.DEGRADED: "note",
    Status.UNHEALTHY: "BAD",
}
BOTFATHER = "https://t.me/BotFather"
SIGN_IN = "scripts/telegram_login.sh"


def check_all(settings: Settings) -> int:
    """Run and print every check of this installation; the exit code."""
    return report((*checks.ground_checks(settings), *installation_checks(settings)))


def installation_checks(settings: Settings) -> tuple[Check, ...]:
    """The checks that know the product's parts."""
    return (
        Check(checks.DATABASE, lambda: check_database(settings)),
        Check("workspaces", lambda: check_workspaces(settings)),
        Check(checks.MODEL, lambda: check_model(settings)),
        Check(checks.FENCE, lambda: check_fence(settings)),
        Check(checks.ACCOUNT, lambda: check_account(settings)),
        Check(checks.BOT, lambda: check_bot(settings)),
    )


def report(looks: Sequence[Check]) -> int:
    """Run and print all checks; the exit code: 0 when a start can succeed."""
    width = max(len(check.name) for check in looks)
    found = [check.run() for check in looks]
    for check, finding in zip(looks, found, strict=True):
        print("\n".join(describe(check.name.ljust(width), finding)))
    bad = sum(finding.status is Status.UNHEALTHY for finding in found)
    print("Valor can start." if not bad else f"{bad} of {len(looks)} checks say that Valor cannot start as it is.")
    return 1 if bad else 0


def describe(name: str, finding: Finding) -> list[str]:
    line = f"{MARKS[finding.status]:4}  {name}  {finding.sentence}"
    return [line] if finding.mend is None else [line, f"{' ' * (len(name) + 8)}→ {finding.mend}"]


def check_database(settings: Settings) -> Finding:
    """Whether the database can be opened and is of this version. Raises DatabaseError."""
    path = settings.database_path
    if not path.exists():
        return Finding(Status.HEALTHY, f"{path.name} will be made by the first start.")
    is_current = asyncio.run(_is_current(str(path)))
    return Finding(Status.HEALTHY, f"{path.name} is {'of this' if is_current else 'of an older'} version.")


async def _is_current(path: str) -> bool:
    from core.database import Database
    from core.migrate import is_current

    database = Database(f"sqlite:///{path}")
    try:
        return await is_current(database)
    finally:
        await database.close()


def check_workspaces(settings: Settings) -> Finding:
    """Whether the configuration file is valid. Raises ConfigurationError with every problem."""
    from core.workspace_file import load_workspaces

    path = settings.workspace_config_path
    config = load_workspaces(path, settings.telegram_allowed_groups, settings.workspaces_dir)
    if config.warnings:
        return Finding(Status.DEGRADED, " ".join(config.warnings))
    return Finding(Status.HEALTHY, f"{len(config.workspaces)} workspaces in {path.name}.")


def check_model(settings: Settings) -> Finding:
    """Which model is configured; whether its key is accepted only a call would tell, and calls cost money."""
    from runtime.models import Models

    state = Models(settings).state()
    if state.missing is None:
        return Finding(Status.HEALTHY, f"{state.name} is configured.")
    sentence = f"The offline model answers, for {state.missing} is not set."
    return Finding(Status.OFF, sentence, f"echo '{state.missing}=…' >> .env")


def check_fence(settings: Settings) -> Finding:
    from runtime.sandbox import examine

    if not settings.fence:
        return Finding(Status.DEGRADED, "The fence is switched off (FENCE): tools that run code are off.")
    examination = examine()
    status = Status.HEALTHY if examination.sandbox else Status.DEGRADED
    return Finding(status, examination.sentence)


def check_account(settings: Settings) -> Finding:
    """Whether the Telegram account was signed in; only connecting tells whether it still is."""
    if settings.telegram_api_id is None:
        return Finding(Status.OFF, "No Telegram account: TELEGRAM_API_ID and TELEGRAM_API_HASH are not set.")
    session = settings.data_dir / "telegram.session"
    if session.exists() and session.stat().st_size:
        return Finding(Status.HEALTHY, "The Telegram account has a session.")
    return Finding(Status.UNHEALTHY, "The Telegram account is not signed in.", SIGN_IN)


def check_bot(settings: Settings) -> Finding:
    """Whether Telegram takes the bot's token; a running server knows more, whether updates arrive above all."""
    from integrations.telegram.bot_access import BotAccess
    from integrations.telegram.bot_probe import find_bot

    access = BotAccess.of(settings)
    if access is None:
        return Finding(Status.OFF, "No Telegram bot: TELEGRAM_BOT_TOKEN is not set.", BOTFATHER)
    health = Client(Address.of(settings), "").health()
    told = health["components"].get(checks.BOT) if health else None
    if told is not None:
        return Finding(Status(told["status"]), f"The running server says: {told['sentence']}")
    try:
        return Finding(Status.HEALTHY, f"Telegram knows the bot as @{find_bot(access)}.")
    except SessionError as error:
        return Finding(Status.UNHEALTHY, str(error), BOTFATHER)
    except FrontError as error:
        return Finding(Status.DEGRADED, str(error))
