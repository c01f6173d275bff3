"""What stands in for what, from the `[models]` tables of the owner's fleet file.

[models."llama-3.3-70b"]
exo = "mlx-community/Llama-3.3-70B-Instruct-4bit"
ollama = "llama3.3:70b"
gemini = "gemini-2.5-flash"
claude = "claude-sonnet-4-5"
"""

import tomllib
from pathlib import Path

from fleetweb.core.naming import Alias, read_aliases
from fleetweb.errors import ConfigError
from fleetweb.upstream.providers import PROVIDERS


def load(path: Path | None) -> tuple[Alias, ...]:
    """The aliases in `path`, none without one. Raises ConfigError, which names the file."""
    if path is None:
        return ()
    try:
        table = tomllib.loads(path.read_text()).get("models", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"FLEETWEB_FLEET: {path} can't be read: {error}.") from error
    if not isinstance(table, dict):
        raise ConfigError(f'FLEETWEB_FLEET: {path}: aliases are [models."name"] tables.')
    try:
        return read_aliases(table, PROVIDERS)
    except ConfigError as error:
        raise ConfigError(f"FLEETWEB_FLEET: {path}: {error}") from error
