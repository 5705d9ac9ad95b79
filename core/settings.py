"""The settings of one installation: what core/environment.py reads, checked.

No secret has a default. Relative paths are taken from the installation's folder.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    model_validator,
)

from core.edges import Edge, open_edge
from core.environment import DEFAULT_HOST, DEFAULT_PORT, data_folder, read_environment, token_file
from core.errors import ConfigurationError

REQUIRED_BY_FULL_SERVICE = ("ANTHROPIC_API_KEY", "TELEGRAM_BOT_TOKEN", "PERPLEXITY_API_KEY", "NOTION_API_KEY")


class Address(NamedTuple):
    """Where a service listens."""

    host: str
    port: int


def split_list(value: object) -> object:
    """Read `a, b` as a list; spaces inside an item stay, empty items go."""
    if isinstance(value, str):
        return tuple(item.strip() for item in value.split(",") if item.strip())
    return value


def split_address(value: object) -> object:
    """Read `host:port`, with or without brackets around an IPv6 host."""
    if not isinstance(value, str):
        return value
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("should be host:port")
    return Address(host.strip("[]"), int(port))


def check_url(value: str) -> str:
    """Accept http and https addresses; a closing slash goes, since paths are appended."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("should be an http:// or https:// address")
    return value.rstrip("/")


def check_model(value: str) -> str:
    """Accept `provider:model`, the way pydantic-ai spells models."""
    provider, _, model = value.partition(":")
    if not provider or not model:
        raise ValueError("should be provider:model, for example anthropic:claude-sonnet-5-5")
    return value


def check_database_url(value: SecretStr) -> SecretStr:
    """Accept the address of an SQLite file."""
    kind, _, name = value.get_secret_value().partition(":///")
    if kind.partition("+")[0] != "sqlite" or not name:
        raise ValueError("should be sqlite:///FILE: this version knows no other kind of database")
    return value


def upper(value: object) -> object:
    """Let `debug` mean DEBUG."""
    return value.upper() if isinstance(value, str) else value


Url = Annotated[str, AfterValidator(check_url)]
Model = Annotated[str, AfterValidator(check_model)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(check_database_url)]
Names = Annotated[tuple[str, ...], BeforeValidator(split_list)]
Port = Annotated[int, Field(ge=1, le=65535)]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(upper)]
ServerAddress = Annotated[Address, BeforeValidator(split_address)]


class Settings(BaseModel):
    """Every setting, validated. Field `x_y` is the setting X_Y; times are in seconds, sizes in bytes."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    project: Path
    env_file: Path
    notices: tuple[str, ...] = ()
    valor_home: Path | None = None
    workspace_config: Path | None = None
    environment: str = "development"

    anthropic_api_key: SecretStr | None = None
    openai_api_key: SecretStr | None = None
    openrouter_api_key: SecretStr | None = None
    gemini_api_key: SecretStr | None = None
    perplexity_api_key: SecretStr | None = None
    notion_api_key: SecretStr | None = None
    telegram_bot_token: SecretStr | None = None
    telegram_api_id: PositiveInt | None = None
    telegram_api_hash: SecretStr | None = None
    telegram_allowed_groups: Names | None = None
    telegram_allow_dms: str | None = None

    telegram_server: ServerAddress | None = None
    telegram_server_key: Path | None = None
    telegram_dc_id: PositiveInt | None = None
    telegram_bot_api_url: Url | None = None
    telegram_webhook_url: Url | None = None
    anthropic_base_url: Url | None = None
    openai_base_url: Url | None = None
    notion_base_url: Url | None = None
    perplexity_base_url: Url | None = None

    model_primary: Model = "anthropic:claude-sonnet-5-5"
    model_reasoning: Model = "anthropic:claude-opus-5-5"
    model_fast: Model = "anthropic:claude-haiku-5-5"
    model_transcription: str = "whisper-1"
    link_private_hosts: Names = ()

    host: str = DEFAULT_HOST
    api_port: Port | None = None
    port: Port | None = None
    api_rate_limit: PositiveInt = 100
    max_request_size: ByteSize = ByteSize(10_000_000)
    cors_origins: Names = ()
    ssl_keyfile: Path | None = None
    ssl_certfile: Path | None = None
    database_url: DatabaseUrl | None = None
    redis_url: SecretStr | None = None

    max_conversation_history: PositiveInt = 50
    context_tokens: PositiveInt = 8_000
    agent_timeout_seconds: PositiveFloat = 30
    turn_join_seconds: NonNegativeFloat = 1.5
    answers_per_minute: PositiveInt = 20
    telegram_calls_per_second: PositiveFloat = 60
    edit_seconds_dm: NonNegativeFloat = 1
    edit_seconds_group: NonNegativeFloat = 3
    catchup_hours: PositiveFloat = 24
    worker_jobs: PositiveInt = 16
    promise_lease_seconds: PositiveFloat = 30
    promise_attempts: PositiveInt = 5
    retention_days: PositiveInt = 90
    fence: bool = True

    # For experiments alone (scripts/chaos): the point at which this process ends, and where all points are noted.
    fail_points: str | None = None
    fail_points_log: Path | None = None

    log_level: LogLevel = "INFO"
    log_agent_inputs: bool = False
    log_agent_outputs: bool = False
    log_tool_calls: bool = False
    log_api_requests: bool = False
    log_file_bytes: PositiveInt = 10_000_000
    log_file_count: NonNegativeInt = 5

    @model_validator(mode="after")
    def check_pairs(self) -> Self:
        if (self.ssl_keyfile is None) != (self.ssl_certfile is None):
            raise ValueError("SSL_KEYFILE and SSL_CERTFILE belong together: set both or neither")
        if (self.telegram_api_id is None) != (self.telegram_api_hash is None):
            raise ValueError("TELEGRAM_API_ID and TELEGRAM_API_HASH belong together: set both or neither")
        return self

    @property
    def home(self) -> Path:
        """The installation's folder: everything this installation writes lies below it."""
        return (self.project / self.valor_home.expanduser()) if self.valor_home else self.project

    @property
    def edge(self) -> Edge:
        """What this process calls at its points of interest: nothing, but in experiments."""
        return open_edge(self.fail_points, self.fail_points_log)

    @property
    def http_port(self) -> int:
        return self.api_port or self.port or DEFAULT_PORT

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        address = self.database_url.get_secret_value() if self.database_url else "sqlite:///system.db"
        return self.home / address.partition(":///")[2]

    @property
    def database_address(self) -> str:
        """The database as SQLAlchemy spells it."""
        return f"sqlite:///{self.database_path}"

    @property
    def huey_path(self) -> Path:
        return self.home / "huey.db"

    @property
    def logs_dir(self) -> Path:
        return self.home / "logs"

    @property
    def data_dir(self) -> Path:
        return data_folder(self.home)

    @property
    def token_path(self) -> Path:
        return token_file(self.home)

    @property
    def pairing_path(self) -> Path:
        """Where the code is kept by which the owner is known for the first time."""
        return self.data_dir / "pairing.json"

    @property
    def bot_name_path(self) -> Path:
        """Where the bot's name is kept from one start to the next."""
        return self.data_dir / "bot_name.json"

    @property
    def workspaces_dir(self) -> Path:
        """Where private workspaces lie."""
        return self.home / "workspaces"

    @property
    def workspace_config_path(self) -> Path:
        return self.home / (self.workspace_config or Path("config/workspace_config.json")).expanduser()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about settings that are accepted and do not do what they seem to say."""
        if self.telegram_allow_dms is None:
            return self.notices
        ignored = "TELEGRAM_ALLOW_DMS is ignored: dm_whitelist in the workspace configuration decides."
        return (*self.notices, ignored)

    def is_set(self, name: str) -> bool:
        """Tell whether the setting NAME has a value."""
        return getattr(self, name.lower()) is not None

    def secrets(self) -> frozenset[str]:
        """Every secret value, passwords inside addresses included: for redaction only."""
        values = [getattr(self, name) for name in type(self).model_fields]
        return frozenset(part for value in values for part in secret_parts(value))


def secret_parts(value: object) -> tuple[str, ...]:
    """What must not be shown of one setting's value."""
    if not isinstance(value, SecretStr):
        return ()
    text = value.get_secret_value()
    if "://" not in text:
        return (text,)
    password = urlsplit(text).password
    return (password,) if password else ()


def load_settings(project: Path) -> Settings:
    """The checked settings of the installation whose program lies in `project`.

    Raises ConfigurationError with one sentence per bad line or key; values are never part of a sentence.
    """
    told = read_environment(project)
    given = {"project": told.project, "env_file": told.env_file, "notices": find_misspelt(told.names)}
    try:
        settings = Settings.model_validate({**told.values, **given})
    except ValidationError as error:
        problems = [describe(detail["loc"], detail["msg"]) for detail in error.errors(include_url=False)]
    else:
        return with_absolute_files(settings)
    # Outside the except block, so that no traceback leads to the values.
    raise ConfigurationError(problems)


def with_absolute_files(settings: Settings) -> Settings:
    """The same settings, with the files they name taken from the installation's folder."""
    names = ("telegram_server_key", "ssl_keyfile", "ssl_certfile")
    files: dict[str, Path | None] = {name: getattr(settings, name) for name in names}
    return settings.model_copy(
        update={name: settings.home / file.expanduser() for name, file in files.items() if file is not None}
    )


def describe(loc: tuple[int | str, ...], msg: str) -> str:
    """One sentence from a validation error's place and message."""
    sentence = msg.removeprefix("Value error, ").removeprefix("Input ")
    return f"{str(loc[0]).upper()} {sentence}." if loc else f"{sentence}."


def find_misspelt(names: Iterable[str]) -> tuple[str, ...]:
    """Sentences about names in `.env` that are no setting and look like one."""
    known = [field.upper() for field in Settings.model_fields]
    pairs = [(name, difflib.get_close_matches(name.upper(), known, 1, 0.85)) for name in names]
    return tuple(
        f"{name} is no setting: is {near[0]} meant?" for name, near in pairs if near and near[0] != name.upper()
    )


def missing_keys(settings: Settings) -> tuple[str, ...]:
    """Which of the four keys of the full service are not set."""
    return tuple(name for name in REQUIRED_BY_FULL_SERVICE if not settings.is_set(name))


def validate_environment(settings: Settings) -> None:
    """Raise OSError (whose other name is EnvironmentError) naming which of the four keys are missing."""
    missing = missing_keys(settings)
    if missing:
        raise OSError(f"Missing in .env or the environment: {', '.join(missing)}.")
