"""Which browser the tests open, and how."""

import os
import shutil

import pytest

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def executable() -> str:
    """The Chromium of this machine. Without one the test is skipped, where skipping is allowed."""
    found = next(filter(None, map(shutil.which, EXECUTABLES)), None)
    if found is None:
        missing = f"No Chromium is installed: none of {', '.join(EXECUTABLES)} is on the PATH."
        if os.environ.get("FLEETWEB_TEST_REQUIRE_ALL") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return found
