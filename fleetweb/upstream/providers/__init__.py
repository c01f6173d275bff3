"""Everyone who can answer a prompt. A new provider is one module and one line here."""

from collections.abc import Callable, Mapping

from .base import PATIENCE, Patience, Provider, ProviderConfig
from .claude import ClaudeProvider
from .exo import ExoProvider
from .gemini import GeminiProvider
from .ollama import OllamaProvider

PROVIDERS: Mapping[str, Callable[[ProviderConfig], Provider]] = {
    "exo": ExoProvider,
    "ollama": OllamaProvider,
    "gemini": GeminiProvider,
    "claude": ClaudeProvider,
}


def make_provider(kind: str, config: ProviderConfig) -> Provider:
    """The provider of that kind at that address. Raises KeyError for a kind not in the registry."""
    return PROVIDERS[kind](config)


__all__ = [
    "PATIENCE",
    "PROVIDERS",
    "Patience",
    "Provider",
    "ProviderConfig",
    "make_provider",
]
