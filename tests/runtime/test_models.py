"""Which model answers, with which key and address: by settings alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from core.errors import ConfigurationError
from runtime.manifest import ModelKind
from runtime.models import Models, ModelState
from tests.runtime.stage import Stage, settings_for
from tests.world.anthropic import Say

KEYS = {f"{name}_api_key": SecretStr(f"{name}-key") for name in ("anthropic", "openai", "openrouter", "gemini")}


@pytest.mark.parametrize(
    ("spec", "kind", "address"),
    [
        ("anthropic:claude-x", "AnthropicModel", "https://api.anthropic.com"),
        ("openai:gpt-x", "OpenAIResponsesModel", "https://api.openai.com/v1/"),
        ("openai-chat:gpt-x", "OpenAIChatModel", "https://api.openai.com/v1/"),
        ("openai-responses:gpt-x", "OpenAIResponsesModel", "https://api.openai.com/v1/"),
        ("openrouter:a/b", "OpenRouterModel", "https://openrouter.ai/api/v1/"),
        ("gemini:gemini-x", "GoogleModel", "https://generativelanguage.googleapis.com"),
    ],
)
async def test_a_model_is_chosen_by_setting_alone(tmp_path: Path, spec: str, kind: str, address: str) -> None:
    models = Models(settings_for(tmp_path, model_primary=spec, **KEYS))
    model = models.build()
    assert (type(model).__name__, model.model_name) == (kind, spec.partition(":")[2])
    assert str(model.base_url).rstrip("/") == address.rstrip("/")
    assert models.build() is model
    assert not models.state().is_offline
    await models.aclose()


async def test_models_of_one_provider_share_a_client(tmp_path: Path) -> None:
    models = Models(settings_for(tmp_path, **KEYS))
    primary: Any = models.build(ModelKind.PRIMARY)
    fast: Any = models.build(ModelKind.FAST)
    assert primary is not fast
    assert primary.client is fast.client
    assert (primary.client.max_retries, primary.client.api_key) == (0, "anthropic-key")
    await models.aclose()
    assert primary.client.is_closed()


async def test_a_local_server_needs_no_key(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, model_primary="openai:llama", openai_base_url="http://127.0.0.1:1/v1")
    models = Models(settings)
    model = models.build()
    assert (type(model).__name__, str(model.base_url)) == ("OpenAIChatModel", "http://127.0.0.1:1/v1/")
    await models.aclose()


@pytest.mark.parametrize(("spec", "missing"), [("anthropic:x", "ANTHROPIC_API_KEY"), ("openai:x", "OPENAI_API_KEY")])
async def test_s6_without_its_key_the_offline_model_answers(tmp_path: Path, spec: str, missing: str) -> None:
    models = Models(settings_for(tmp_path, model_primary=spec))
    assert models.state() == ModelState("offline", missing)
    assert models.build().model_name == "offline"


async def test_a_workspace_model_takes_the_primarys_place_only(tmp_path: Path) -> None:
    models = Models(settings_for(tmp_path, **KEYS))
    assert models.state(ModelKind.PRIMARY, "openai:mine").name == "openai:mine"
    assert models.state(ModelKind.FAST, "openai:mine").name == "anthropic:claude-haiku-5-5"


async def test_an_unknown_provider_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no provider 'acme'; known are anthropic"):
        Models(settings_for(tmp_path, model_primary="acme:x")).state()


async def test_the_environment_is_not_asked(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-environment")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-environment")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    stage.model.key = "sk-test-key"
    stage.model.answer(Say("Hello"))
    assert (await stage.runner().run(stage.manifest(), "go", stage.deps())).text == "Hello"
