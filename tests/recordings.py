"""Where exo's recorded answers are: beside the project, never in it."""

import json
from pathlib import Path
from typing import Any

import pytest

EXO = Path(__file__).resolve().parents[2] / "shared" / "exo"
RECORDINGS = EXO / "recordings"
REPLAY = EXO / "replay.py"

needs_recordings = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason=f"exo's recordings are not at {RECORDINGS}"
)


def load(name: str) -> Any:
    """One recording, decoded."""
    return json.loads((RECORDINGS / name).read_text())
