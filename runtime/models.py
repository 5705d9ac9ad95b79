"""Which model for which task: `provider:model` strings, with keys and addresses from the settings alone.

Clients are made at the first use of their provider, once per process, and never repeat a request by themselves:
`runtime.patience` does that, in one place for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from core.errors import ConfigurationError
from core.settings import Settings
from runtime.accounts import ask_whose, note_response
from runtime.manifest import ModelKind
from runtime.offline import build_offline_model

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic
    from google.genai.client import Client as GoogleClient
    from openai import AsyncOpenAI
    from pydantic_ai.models import Model

ANTHROPIC_URL = "https://api.anthropic.com"
OPENAI_URL = "https://api.openai.com/v1"
OPENROUTER_URL = "https://openrouter.ai/api/v1"
GOOGLE_URL = "https://generativelanguage.googleapis.com"
NO_KEY = "none"  # what a local server that needs no key is given
OFFLINE = "offline"

Client = Any  # AsyncAnthropic, AsyncOpenAI or google's: each builder knows its own


@dataclass(frozen=True, slots=True)
class ModelState:
    """Which model answers, and what keeps the configured one from doing so (None: nothing)."""

    name: str
    missing: str | None = None

    @property
    def is_offline(self) -> bool:
        return self.missing is not None


class Models:
    """The models of one process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._built: dict[str, Model] = {}
        self._clients: dict[str, Client] = {}

    def spec(self, kind: ModelKind, override: str | None = None) -> str:
        """The `provider:model` of a kind; a workspace's own (`override`) takes the primary's place."""
        configured: str = getattr(self._settings, f"model_{kind}")
        return override if override is not None and kind is ModelKind.PRIMARY else configured

    def state(self, kind: ModelKind = ModelKind.PRIMARY, override: str | None = None) -> ModelState:
        """What `build` would build. Raises ConfigurationError for a provider that nobody knows."""
        spec = self.spec(kind, override)
        missing = self._missing(_provider_of(spec))
        return ModelState(OFFLINE if missing else spec, missing)

    def build(self, kind: ModelKind = ModelKind.PRIMARY, override: str | None = None) -> Model:
        """The model of a kind; without its key the offline model, which says so. Raises ConfigurationError."""
        state = self.state(kind, override)
        if state.name not in self._built:
            self._built[state.name] = self._make(state)
        return self._built[state.name]

    async def aclose(self) -> None:
        """Close every connection."""
        clients, self._clients = self._clients, {}
        self._built.clear()
        for client in clients.values():
            await (client.aio.aclose() if hasattr(client, "aio") else client.close())

    def _missing(self, provider: _Provider) -> str | None:
        """The name of the setting whose key is missing."""
        if self._secret(provider.key) or (provider.has_local and self._settings.openai_base_url):
            return None
        return provider.key.upper()

    def _make(self, state: ModelState) -> Model:
        if state.missing is not None:
            return build_offline_model(state.missing)
        name, _, model = state.name.partition(":")
        provider = _provider_of(state.name)
        if provider.client not in self._clients:
            self._clients[provider.client] = CLIENTS[provider.client](self._settings, self._key(provider))
        return provider.build(self._clients[provider.client], model, name)

    def _key(self, provider: _Provider) -> str:
        return self._secret(provider.key) or NO_KEY

    def _secret(self, name: str) -> str | None:
        value: SecretStr | None = getattr(self._settings, name)
        return value.get_secret_value() if value else None


def open_http(*, is_own_address: bool) -> httpx2.AsyncClient:
    """A client of HTTP. An address of the owner's own is reached directly, a public one as the system says."""
    import httpx2

    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(None, connect=10),  # silence is noticed by runtime.patience
        follow_redirects=True,
        trust_env=not is_own_address,
        limits=httpx2.Limits(max_connections=200, max_keepalive_connections=50),
        event_hooks={"request": [ask_whose], "response": [note_response]},
    )


def _open_anthropic(settings: Settings, key: str) -> AsyncAnthropic:
    from anthropic import AsyncAnthropic

    own = settings.anthropic_base_url
    http = open_http(is_own_address=own is not None)
    return AsyncAnthropic(
        api_key=key, base_url=own or ANTHROPIC_URL, max_retries=0, http_client=http, open_telemetry=False
    )


def _open_openai(settings: Settings, key: str) -> AsyncOpenAI:
    from openai import AsyncOpenAI

    own = settings.openai_base_url
    http = open_http(is_own_address=own is not None)
    return AsyncOpenAI(api_key=key, base_url=own or OPENAI_URL, max_retries=0, http_client=http)


def _open_openrouter(_settings: Settings, key: str) -> AsyncOpenAI:
    from openai import AsyncOpenAI

    http = open_http(is_own_address=False)
    return AsyncOpenAI(api_key=key, base_url=OPENROUTER_URL, max_retries=0, http_client=http)


def _open_google(_settings: Settings, key: str) -> GoogleClient:
    from google.genai import Client as GoogleClient
    from google.genai.types import HttpOptions

    return GoogleClient(vertexai=False, api_key=key, http_options=HttpOptions(base_url=GOOGLE_URL))


def _build_anthropic(client: Client, model: str, _name: str) -> Model:
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.profiles import ModelProfile
    from pydantic_ai.providers.anthropic import AnthropicProvider

    # Copies every tool's schema for each request, to change it only where `strict` is asked for: none of ours does.
    as_they_are = ModelProfile(json_schema_transformer=None)
    return AnthropicModel(model, provider=AnthropicProvider(anthropic_client=client), profile=as_they_are)


def _build_openai(client: Client, model: str, name: str) -> Model:
    """OpenAI's own service has the Responses API; other servers that speak its protocol have the older one."""
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    provider = OpenAIProvider(openai_client=client)
    is_original = str(client.base_url).startswith(OPENAI_URL)
    if name == "openai-responses" or (name == "openai" and is_original):
        return OpenAIResponsesModel(model, provider=provider)
    return OpenAIChatModel(model, provider=provider)


def _build_openrouter(client: Client, model: str, _name: str) -> Model:
    from pydantic_ai.models.openrouter import OpenRouterModel
    from pydantic_ai.providers.openrouter import OpenRouterProvider

    return OpenRouterModel(model, provider=OpenRouterProvider(openai_client=client))


def _build_google(client: Client, model: str, _name: str) -> Model:
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    return GoogleModel(model, provider=GoogleProvider(client=client))


@dataclass(frozen=True, slots=True)
class _Provider:
    """How a provider's models are made; `key` is the setting of its key, `has_local` that OPENAI_BASE_URL suffices."""

    key: str
    client: str
    build: Callable[[Client, str, str], Model]
    has_local: bool = False


CLIENTS: dict[str, Callable[[Settings, str], Client]] = {
    "anthropic": _open_anthropic,
    "openai": _open_openai,
    "openrouter": _open_openrouter,
    "google": _open_google,
}
_OPENAI = _Provider("openai_api_key", "openai", _build_openai, has_local=True)
_GOOGLE = _Provider("gemini_api_key", "google", _build_google)
PROVIDERS = {
    "anthropic": _Provider("anthropic_api_key", "anthropic", _build_anthropic),
    "openai": _OPENAI,
    "openai-chat": _OPENAI,
    "openai-responses": _OPENAI,
    "openrouter": _Provider("openrouter_api_key", "openrouter", _build_openrouter),
    "google": _GOOGLE,
    "google-gla": _GOOGLE,
    "gemini": _GOOGLE,
}


def _provider_of(spec: str) -> _Provider:
    name = spec.partition(":")[0]
    if name not in PROVIDERS:
        raise ConfigurationError([f"{spec}: there is no provider {name!r}; known are {', '.join(PROVIDERS)}."])
    return PROVIDERS[name]
