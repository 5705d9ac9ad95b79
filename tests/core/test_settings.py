from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigurationError
from core.settings import Address, Settings, load_settings, validate_environment

SECRET = "sk-ant-not-to-be-shown-000"
KEYS = ("ANTHROPIC_API_KEY", "TELEGRAM_BOT_TOKEN", "PERPLEXITY_API_KEY", "NOTION_API_KEY")


def load(folder: Path, *lines: str) -> Settings:
    (folder / ".env").write_text("\n".join(lines))
    return load_settings(folder)


def problems_of(folder: Path, *lines: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, *lines)
    assert caught.value.__context__ is None or not isinstance(caught.value.__context__, ValueError)
    return caught.value.problems


def test_defaults_need_no_file_and_no_key(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    assert (settings.max_conversation_history, settings.agent_timeout_seconds) == (50, 30)
    assert (settings.api_rate_limit, settings.max_request_size) == (100, 10_000_000)
    assert (settings.answers_per_minute, settings.turn_join_seconds) == (20, 1.5)
    assert settings.telegram_calls_per_second == 60
    assert (settings.worker_jobs, settings.promise_lease_seconds) == (16, 30)
    assert (settings.host, settings.http_port) == ("127.0.0.1", 9000)
    assert settings.telegram_allowed_groups is None
    assert settings.anthropic_api_key is None
    assert settings.model_primary.startswith("anthropic:")
    assert settings.warnings == ()


def test_env_file_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "9100")
    assert load_settings(tmp_path).http_port == 9100
    assert load(tmp_path, "API_PORT=9200").http_port == 9200


def test_an_empty_value_is_unset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9300")
    monkeypatch.setenv("NOTION_API_KEY", "  ")
    settings = load(tmp_path, "PORT=", "API_PORT=''", "ANTHROPIC_API_KEY=")
    assert settings.http_port == 9300
    assert settings.anthropic_api_key is None
    assert settings.notion_api_key is None


def test_a3_allowed_groups_tells_empty_from_unset(tmp_path: Path) -> None:
    assert load(tmp_path, "PORT=9000").telegram_allowed_groups is None
    assert load(tmp_path, "TELEGRAM_ALLOWED_GROUPS=").telegram_allowed_groups == ()
    groups = load(tmp_path, "TELEGRAM_ALLOWED_GROUPS=PsyOPTIMAL Dev, -100123 ,,flex").telegram_allowed_groups
    assert groups == ("PsyOPTIMAL Dev", "-100123", "flex")


def test_api_port_goes_before_port(tmp_path: Path) -> None:
    assert load(tmp_path, "PORT=9001").http_port == 9001
    assert load(tmp_path, "PORT=9001", "API_PORT=9002").http_port == 9002


def test_every_bad_key_gets_one_sentence_without_its_value(tmp_path: Path) -> None:
    problems = problems_of(
        tmp_path,
        f"API_PORT={SECRET}",
        f"TELEGRAM_SERVER={SECRET}",
        f"ANTHROPIC_BASE_URL=ftp://{SECRET}",
        f"MODEL_FAST={SECRET}",
        f"LOG_LEVEL={SECRET}",
        "TELEGRAM_API_ID=0",
    )
    assert sorted(sentence.split()[0] for sentence in problems) == [
        "ANTHROPIC_BASE_URL",
        "API_PORT",
        "LOG_LEVEL",
        "MODEL_FAST",
        "TELEGRAM_API_ID",
        "TELEGRAM_SERVER",
    ]
    assert SECRET not in " ".join(problems)
    assert "API_PORT should be a valid integer, unable to parse string as an integer." in problems


@pytest.mark.parametrize(
    ("line", "both"),
    [("SSL_KEYFILE=key.pem", "SSL_CERTFILE"), ("TELEGRAM_API_HASH=0123456789abcdef", "TELEGRAM_API_ID")],
)
def test_halves_of_a_pair_are_refused(tmp_path: Path, line: str, both: str) -> None:
    (sentence,) = problems_of(tmp_path, line)
    assert both in sentence


def test_lines_that_cannot_be_read_are_named_by_number(tmp_path: Path) -> None:
    assert problems_of(tmp_path, "PORT=9000", 'LOG_LEVEL="INFO') == [
        ".env line 2 cannot be read: write NAME=value, quotes closed."
    ]


def test_a_file_that_is_no_text_or_no_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"PORT=\xff\xfe\n")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_settings(tmp_path)
    (tmp_path / ".env").unlink()
    (tmp_path / ".env").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(tmp_path)


def test_misspelt_names_and_ignored_settings_warn(tmp_path: Path) -> None:
    settings = load(tmp_path, "TELEGRAM_BOT_TOKN=x", "TELEGRAM_ALLOW_DMS=true", "EDITOR=vi", "log_level=debug")
    assert len(settings.warnings) == 2
    assert "TELEGRAM_BOT_TOKN is no setting: is TELEGRAM_BOT_TOKEN meant?" in settings.warnings
    assert settings.warnings[1].startswith("TELEGRAM_ALLOW_DMS is ignored")
    assert settings.log_level == "DEBUG"


def test_addresses_of_the_test_world(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        "TELEGRAM_SERVER=[::1]:4430",
        "TELEGRAM_SERVER_KEY=data/key.pem",
        "TELEGRAM_DC_ID=2",
        "TELEGRAM_BOT_API_URL=http://127.0.0.1:8081/",
        "OPENAI_BASE_URL=https://models.example/v1/",
        "CORS_ORIGINS=http://a.example, http://b.example",
        "MAX_REQUEST_SIZE=2MB",
    )
    assert settings.telegram_server == Address("::1", 4430)
    assert settings.telegram_server_key == tmp_path / "data/key.pem"
    assert settings.telegram_bot_api_url == "http://127.0.0.1:8081"
    assert settings.openai_base_url == "https://models.example/v1"
    assert settings.cors_origins == ("http://a.example", "http://b.example")
    assert settings.max_request_size == 2_000_000


def test_everything_lies_below_the_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = load_settings(tmp_path)
    assert project.home == tmp_path
    home = tmp_path / "elsewhere"
    home.mkdir()
    (home / ".env").write_text("PORT=9400")
    monkeypatch.setenv("VALOR_HOME", "elsewhere")
    settings = load_settings(tmp_path)
    assert settings.http_port == 9400
    paths = (settings.huey_path, settings.logs_dir, settings.data_dir, settings.token_path, settings.workspaces_dir)
    assert {path.parent for path in paths} == {home}
    assert settings.database_path == home / "system.db"
    assert settings.workspace_config_path == home / "config/workspace_config.json"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///data/x.db", "data/x.db"),
        ("sqlite+pysqlite:////srv/x.db", "/srv/x.db"),
    ],
)
def test_database_url_names_a_file(tmp_path: Path, url: str, path: str) -> None:
    settings = load(tmp_path, f"DATABASE_URL={url}")
    assert settings.database_path == tmp_path / path
    assert settings.database_address == f"sqlite:///{tmp_path / path}"
    assert load(tmp_path, "").database_address == f"sqlite:///{tmp_path}/system.db"


@pytest.mark.parametrize("url", ["mysql://x", "postgresql://u:passw0rd@db/valor", "sqlite://", "sqlite:///", "x.db"])
def test_a_database_of_another_kind_is_refused(tmp_path: Path, url: str) -> None:
    assert problems_of(tmp_path, f"DATABASE_URL={url}") == [
        "DATABASE_URL should be sqlite:///FILE: this version knows no other kind of database."
    ]


def test_b12_no_text_of_the_settings_shows_a_secret(tmp_path: Path) -> None:
    settings = load(
        tmp_path, f"ANTHROPIC_API_KEY={SECRET}", "DATABASE_URL=sqlite:///x.db", "REDIS_URL=redis://u:passw0rd@h/0"
    )
    assert settings.secrets() == {SECRET, "passw0rd"}
    assert SECRET not in f"{settings!r} {settings}"
    assert "passw0rd" not in f"{settings!r}"


def test_validate_environment_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(
        EnvironmentError, match=r"Missing in \.env or the environment: ANTHROPIC_API_KEY, TELEGRAM"
    ) as all4:
        validate_environment(load_settings(tmp_path))
    assert all(name in str(all4.value) for name in KEYS)
    with pytest.raises(EnvironmentError, match=r": TELEGRAM_BOT_TOKEN, PERPLEXITY_API_KEY\.$"):
        validate_environment(load(tmp_path, f"ANTHROPIC_API_KEY={SECRET}", "NOTION_API_KEY=ntn_0000"))
    validate_environment(load(tmp_path, *(f"{name}={SECRET}" for name in KEYS)))
