"""The gateway as the settings want it."""

from django.conf import settings

from fleetweb.core.balancing import LoadBalanceStrategy
from fleetweb.upstream.providers import Provider, ProviderConfig, make_provider

from . import aliases
from .service import GatewayConfig


def configured() -> GatewayConfig:
    """Raises ConfigError where the fleet file's aliases are malformed."""
    return GatewayConfig(
        order=settings.FLEETWEB_FALLBACK,
        providers=_providers(),
        aliases=aliases.load(settings.FLEETWEB_FLEET),
        strategy=LoadBalanceStrategy(settings.FLEETWEB_STRATEGY),
        load_on_demand=settings.FLEETWEB_LOAD_ON_DEMAND,
        keep_text=settings.FLEETWEB_KEEP_TEXT,
    )


def _providers() -> dict[str, Provider]:
    """Those that their owner configured: Ollama by its address, the others by their keys."""
    configs = {
        "ollama": (settings.OLLAMA_URL, settings.OLLAMA_URL, settings.OLLAMA_MODEL, None),
        "gemini": (
            settings.GEMINI_API_KEY,
            settings.GEMINI_URL,
            settings.GEMINI_MODEL,
            settings.GEMINI_API_KEY,
        ),
        "claude": (
            settings.ANTHROPIC_API_KEY,
            settings.ANTHROPIC_URL,
            settings.CLAUDE_MODEL,
            settings.ANTHROPIC_API_KEY,
        ),
    }
    return {
        kind: make_provider(kind, ProviderConfig(url=url, default_model=model, api_key=key))
        for kind, (condition, url, model, key) in configs.items()
        if condition and url
    }
