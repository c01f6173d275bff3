"""Where the labelled development streams are: beside the project, never in it."""

from pathlib import Path

import pytest

STREAMS = Path(__file__).resolve().parents[2] / "shared" / "streams"
DEVELOPMENT = STREAMS / "dev.jsonl"

needs_streams = pytest.mark.skipif(
    not DEVELOPMENT.is_file(), reason=f"the labelled streams are not at {DEVELOPMENT}"
)
