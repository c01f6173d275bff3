"""What a sentence rests on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Evidence:
    """One measured fact behind a sentence.

    `signal` names it with its unit (`last_heard_s`, `layers_loaded`, `gpu_usage`…), `baseline` is
    what it is held against, None where there is none; `source` is `exo`, `poll`, `stream` or
    `config`.
    """

    signal: str
    value: float | int | str | bool | None
    baseline: float | int | str | None = None
    source: str = "exo"
