"""Reading settings from the environment, with errors that name the variable and its wants."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from .errors import ConfigError

SECRET_BYTES = 32


def text(name: str, default: str | None = None) -> str | None:
    """The value of `name`, or of the file `NAME_FILE` names, or `default`. Empty is unset."""
    if value := os.environ.get(name, "").strip():
        return value
    if path := os.environ.get(f"{name}_FILE", "").strip():
        return _read_secret(name, Path(path))
    return default


def flag(name: str, *, default: bool) -> bool:
    value = text(name, "on" if default else "off")
    if value not in ("on", "off"):
        raise ConfigError(f"{name} is {value!r}: it wants on or off.")
    return value == "on"


def choice(name: str, default: str, choices: Sequence[str]) -> str:
    value = text(name) or default
    if value not in choices:
        raise ConfigError(f"{name} is {value!r}: it wants one of {', '.join(choices)}.")
    return value


def ordered_choices(name: str, default: Sequence[str], choices: Sequence[str]) -> tuple[str, ...]:
    """A comma-separated list without repeats, in the order given."""
    values = names(name, default)
    wrong = [value for value in values if value not in choices]
    if wrong or len(set(values)) != len(values):
        raise ConfigError(
            f"{name} is {','.join(values)!r}: it wants some of {', '.join(choices)}, each once."
        )
    return values


def names(name: str, default: Sequence[str] = ()) -> tuple[str, ...]:
    """A comma-separated list."""
    value = text(name)
    if value is None:
        return tuple(default)
    return tuple(part.strip() for part in value.split(",") if part.strip())


def whole_number(name: str, default: int, *, at_least: int) -> int:
    value = text(name)
    if value is None:
        return default
    if not value.isascii() or not value.isdigit() or int(value) < at_least:
        raise ConfigError(f"{name} is {value!r}: it wants a whole number, at least {at_least}.")
    return int(value)


def url(name: str, default: str | None = None) -> str | None:
    value = text(name, default)
    return None if value is None else checked_url(name, value)


def urls(name: str) -> tuple[str, ...]:
    """A comma-separated list of http(s) addresses."""
    return tuple(checked_url(name, value) for value in names(name))


def checked_url(name: str, value: str) -> str:
    """`value` without trailing slash if it is an http(s) address; if not, `name` is blamed."""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is not a number
        usable = None
    if not usable:
        raise ConfigError(f"{name} is {value!r}: it wants addresses like http://king.local:52415.")
    return value.rstrip("/")


def file(name: str) -> Path | None:
    """The path of a file that can be read."""
    value = text(name)
    if value is None:
        return None
    if not Path(value).is_file():
        raise ConfigError(f"{name} is {value!r}: there is no such file.")
    return Path(value)


def directory(name: str, default: Path) -> Path:
    """A directory that can be written, made if it is missing."""
    path = Path(text(name) or default).resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{name} is {str(path)!r}: {error.strerror}.") from error
    if not os.access(path, os.W_OK):
        raise ConfigError(f"{name} is {str(path)!r}: it can't be written to.")
    return path


def kept_secret(path: Path) -> str:
    """The secret in `path`, made and kept there (readable by its owner alone) the first time."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_secret(path.name, path)
    with os.fdopen(descriptor, "w") as created:
        secret = secrets.token_urlsafe(SECRET_BYTES)
        created.write(secret)
    return secret


def time_zone() -> str:
    """The machine's own time zone, so that what is read here agrees with the clock on the wall."""
    linked = os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
    for name in (os.environ.get("TZ", "").lstrip(":"), linked):
        try:
            return ZoneInfo(name).key
        except (ValueError, OSError, LookupError):
            continue
    return "UTC"


def _read_secret(name: str, path: Path) -> str:
    try:
        secret = path.read_text().strip()
    except OSError as error:
        raise ConfigError(f"{name}: {path} can't be read: {error.strerror}.") from error
    if not secret:
        raise ConfigError(f"{name}: {path} is empty. Remove it, or put the secret there.")
    return secret
