"""The owner's description of the fleet: a TOML file, or the reference fleet.

A file that lists no machine means: only what exo reports. Tables of `[models]` stand beside.

[[nodes]]
name = "king"
role = "king"            # king, soldier, drummer or worker
host = "king.local"
memory_gb = 512
cpu_cores = 32           # optional
gpu_cores = 80           # optional
exo_id = "…"             # optional; exo's ids change whenever it starts
"""

import tomllib
from pathlib import Path
from typing import Any

from fleetweb.core.roster import SOVEREIGN_FLEET, FleetNode, Role
from fleetweb.errors import ConfigError

_WANTED: dict[str, type] = {"name": str, "role": str, "host": str, "memory_gb": int}
_OPTIONAL: dict[str, type] = {"cpu_cores": int, "gpu_cores": int, "exo_id": str}


def load(path: Path | None) -> tuple[FleetNode, ...]:
    """The machines described in `path`; the reference fleet if there is none.

    Raises ConfigError, which names the file, the machine and what is wrong with it.
    """
    if path is None:
        return SOVEREIGN_FLEET
    try:
        described = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"FLEETWEB_FLEET: {path} can't be read: {error}.") from error
    if unknown := described.keys() - {"nodes", "models"}:
        raise ConfigError(
            f"FLEETWEB_FLEET: {path} has {', '.join(sorted(unknown))}, which means nothing here;"
            " machines are [[nodes]] tables."
        )
    tables = described.get("nodes", [])
    if not isinstance(tables, list):
        raise ConfigError(f"FLEETWEB_FLEET: {path}: machines are [[nodes]] tables.")
    fleet = tuple(_node(path, number, table) for number, table in enumerate(tables, start=1))
    names = [node.name for node in fleet]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"FLEETWEB_FLEET: {path} names {', '.join(sorted(repeated))} twice.")
    return fleet


def _node(path: Path, number: int, table: Any) -> FleetNode:
    where = f"FLEETWEB_FLEET: {path}, [[nodes]] number {number}"
    if not isinstance(table, dict):
        raise ConfigError(f"{where} is not a table.")
    if unknown := table.keys() - _WANTED.keys() - _OPTIONAL.keys():
        raise ConfigError(f"{where} has {', '.join(sorted(unknown))}, which means nothing here.")
    if missing := [key for key in _WANTED if key not in table]:
        raise ConfigError(f"{where} wants {', '.join(missing)}.")
    for key, kind in (_WANTED | _OPTIONAL).items():
        if key in table and (type(table[key]) is not kind or table[key] == ""):
            word = "a whole number" if kind is int else "a text"
            raise ConfigError(f"{where}: {key} is {table[key]!r}, it wants {word}.")
        if key in table and kind is int and table[key] < 0:
            raise ConfigError(f"{where}: {key} is {table[key]}, it wants 0 or more.")
    if table["role"] not in list(Role):
        raise ConfigError(f"{where}: role is {table['role']!r}, it wants {', '.join(Role)}.")
    return FleetNode(**{**table, "role": Role(table["role"])})
