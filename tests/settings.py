"""The project's own settings, in a data directory of the test run's own and free of the owner's."""

import os
import tempfile

KEPT = ("FLEETWEB_TEST_",)
for name in [n for n in os.environ if n.startswith("FLEETWEB_") and not n.startswith(KEPT)]:
    del os.environ[name]
os.environ["FLEETWEB_TOKEN"] = "a-token-for-tests-alone"  # in every process of one run the same
os.environ["FLEETWEB_DATA"] = tempfile.mkdtemp(prefix="fleetweb-tests-")

# Test runs side by side must not hear each other.
if redis := os.environ.get("REDIS_URL"):
    address, _, first = redis.rpartition("/")
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    os.environ["REDIS_URL"] = f"{address}/{int(first) + worker}"

from fleetweb.settings import *  # noqa: E402, F403
from fleetweb.settings import DATABASES, FLEETWEB_DATA, SQLITE  # noqa: E402

if DATABASES["default"] is SQLITE:
    SQLITE["TEST"] = {"NAME": FLEETWEB_DATA / "tests.sqlite3"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
