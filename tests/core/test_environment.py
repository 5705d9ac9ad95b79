"""What an installation was told, read without the settings' slow imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.environment import Environment, read_environment
from core.errors import ConfigurationError
from core.settings import load_settings


def read(folder: Path, *lines: str) -> Environment:
    (folder / ".env").write_text("\n".join(lines))
    return read_environment(folder)


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("API_PORT=9200", "PORT=9300", "HOST=::1"),
        ("PORT='9300'", "API_PORT=", "SSL_KEYFILE=k.pem", "SSL_CERTFILE=c.pem"),
        ("api_port=9200", "NUMBER=77", "PORT=${NUMBER}00", "HOST=  "),
    ],
)
def test_a_place_is_where_the_checked_settings_say(tmp_path: Path, lines: tuple[str, ...]) -> None:
    told = read(tmp_path, *lines)
    settings = load_settings(tmp_path)
    assert (told.home, told.data_dir, told.token_path) == (settings.home, settings.data_dir, settings.token_path)
    assert (told.host, told.http_port, told.ssl_certfile) == (settings.host, settings.http_port, settings.ssl_certfile)


def test_another_home_has_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("PORT=1")
    home = tmp_path / "elsewhere"
    home.mkdir()
    (home / ".env").write_text("PORT=9400")
    monkeypatch.setenv("VALOR_HOME", "elsewhere")
    told = read_environment(tmp_path)
    assert (told.home, told.http_port, told.names) == (home, 9400, ("PORT",))
    assert told.home == load_settings(tmp_path).home


@pytest.mark.parametrize("line", ["API_PORT=many", "API_PORT=0", "PORT=65536", "PORT=-1"])
def test_what_is_no_port_is_a_sentence(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{line.partition('=')[0]} should be a port") as caught:
        _ = read(tmp_path, line).http_port
    assert len(caught.value.problems) == 1


def test_it_imports_nothing_that_takes_long() -> None:
    slow = "{'pydantic', 'sqlalchemy', 'asyncio', 'typer', 'rich'}"
    program = f"import sys, core.environment; sys.exit(sorted({slow} & sys.modules.keys()) or None)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
