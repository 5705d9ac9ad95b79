"""What an installation was told, as text: `.env` and the environment, read here and nowhere else.

`.env` wins over the environment; an empty value is as if it were not there, TELEGRAM_ALLOWED_GROUPS apart, where empty
means "no group". core/settings.py makes checked settings of it, which takes half a second to import: what has to be
quick asks here where the server is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Protocol

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from core.errors import ConfigurationError

MAY_BE_EMPTY = "telegram_allowed_groups"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 9000


class Place(Protocol):
    """Where an installation's server is reached."""

    @property
    def host(self) -> str: ...
    @property
    def http_port(self) -> int: ...
    @property
    def ssl_certfile(self) -> Path | None: ...
    @property
    def token_path(self) -> Path: ...


@dataclass(frozen=True, slots=True)
class Environment:
    """Implements Place. `values` go by lower-case names; `names` are those that `.env` sets, as they are written."""

    project: Path
    env_file: Path
    names: tuple[str, ...]
    values: Mapping[str, str]

    @property
    def home(self) -> Path:
        """The installation's folder: everything this installation writes lies below it."""
        return self.project / Path(self.values.get("valor_home", ".")).expanduser()

    @property
    def token_path(self) -> Path:
        return token_file(self.home)

    @property
    def data_dir(self) -> Path:
        return data_folder(self.home)

    @property
    def host(self) -> str:
        return self.values.get("host", DEFAULT_HOST)

    @property
    def http_port(self) -> int:
        """Raises ConfigurationError for what is no port."""
        name = "api_port" if "api_port" in self.values else "port"
        text = self.values.get(name, str(DEFAULT_PORT))
        if not text.isdecimal() or not 0 < int(text) < 65536:
            raise ConfigurationError([f"{name.upper()} should be a port: a number from 1 to 65535."])
        return int(text)

    @property
    def ssl_certfile(self) -> Path | None:
        named = self.values.get("ssl_certfile")
        return self.home / named if named else None


def token_file(home: Path) -> Path:
    return home / ".token"


def data_folder(home: Path) -> Path:
    """Telegram session, locks and sockets."""
    return home / "data"


def server_lock(home: Path) -> Path:
    """The file whose lock the server holds: two of them on one ledger would tell everything twice."""
    return data_folder(home) / "server.lock"


def read_environment(project: Path) -> Environment:
    """Read `.env` and the environment, once.

    `.env` lies in the installation's folder: VALOR_HOME where the environment names one, else `project`.
    Raises ConfigurationError with one sentence per line that cannot be read.
    """
    project = project.resolve()
    env_file = project / Path(os.environ.get("VALOR_HOME") or ".").expanduser() / ".env"
    text = _read_text(env_file)
    names = _names(parse_stream(StringIO(text)), env_file)
    told = dotenv_values(stream=StringIO(text))
    return Environment(project, env_file, names, {**_filled(os.environ), **_filled(told)})


def _read_text(env_file: Path) -> str:
    """What the file says; nothing without the file."""
    try:
        return env_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise ConfigurationError([f"{env_file.name} is not UTF-8 text: save it again as UTF-8."]) from None
    except OSError as error:
        raise ConfigurationError([f"{env_file.name} cannot be read: {error.strerror}."]) from error


def _names(lines: Iterable[Binding], env_file: Path) -> tuple[str, ...]:
    """The names that the file sets. Raises ConfigurationError for lines that cannot be read."""
    bindings = list(lines)
    bad = [binding.original.line for binding in bindings if binding.error]
    if bad:
        where = f"{env_file.name} line"
        raise ConfigurationError([f"{where} {line} cannot be read: write NAME=value, quotes closed." for line in bad])
    return tuple(binding.key for binding in bindings if binding.key)


def _filled(told: Mapping[str, str | None]) -> dict[str, str]:
    """By lower-case names, without empty values."""
    values = {name.lower(): value.strip() for name, value in told.items() if value is not None}
    return {name: value for name, value in values.items() if value or name == MAY_BE_EMPTY}
