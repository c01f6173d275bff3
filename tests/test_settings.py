"""What the environment makes of the settings."""

import pytest

from fleetweb import settings
from fleetweb.errors import ConfigError


@pytest.fixture
def given(monkeypatch):
    def database(url: str) -> dict:
        monkeypatch.setenv("DATABASE_URL", url)
        return settings._database()

    return database


def test_what_the_address_of_the_database_asks_for_holds_beside_the_pool(given):
    options = given("postgres://me@db.local/fleetweb?sslmode=verify-full")["OPTIONS"]
    assert options["sslmode"] == "verify-full"
    assert options["pool"] == settings.POOL


def test_an_address_of_no_database_is_refused(given):
    with pytest.raises(ConfigError, match="DATABASE_URL wants an address like"):
        given("the usual one")
