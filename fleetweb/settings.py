"""Every setting of the project. All come from the environment; none is read anywhere else."""

import hashlib
from pathlib import Path

import dj_database_url
from csp.constants import NONE, SELF

from . import env
from .errors import ConfigError

BASE_DIR = Path(__file__).resolve().parent.parent

# --- fleetweb's own -----------------------------------------------------------------------------

STRATEGIES = ("round_robin", "least_loaded", "latency_aware", "model_affinity")
PROVIDERS = ("exo", "ollama", "gemini", "claude")
DEFAULT_EXO_URL = "http://localhost:52415"
SHORTEST_TOKEN = 16

FLEETWEB_DATA = env.directory("FLEETWEB_DATA", BASE_DIR / "var")
FLEETWEB_EXO_URLS = env.urls("FLEETWEB_EXO_URLS")
FLEETWEB_FLEET = env.file("FLEETWEB_FLEET")
FLEETWEB_TOKEN = env.text("FLEETWEB_TOKEN") or env.kept_secret(FLEETWEB_DATA / "token")
FLEETWEB_KEEP_TEXT = env.flag("FLEETWEB_KEEP_TEXT", default=False)
FLEETWEB_STRATEGY = env.choice("FLEETWEB_STRATEGY", "model_affinity", STRATEGIES)
FLEETWEB_LOAD_ON_DEMAND = env.flag("FLEETWEB_LOAD_ON_DEMAND", default=True)
FLEETWEB_FALLBACK = env.ordered_choices("FLEETWEB_FALLBACK", PROVIDERS, PROVIDERS)
FLEETWEB_RETENTION_DAYS = env.whole_number("FLEETWEB_RETENTION_DAYS", 90, at_least=1)

OLLAMA_URL = env.url("OLLAMA_URL")
OLLAMA_MODEL = env.text("OLLAMA_MODEL")
GEMINI_API_KEY = env.text("GEMINI_API_KEY")
GEMINI_MODEL = env.text("GEMINI_MODEL", "gemini-2.5-flash")
GEMINI_URL = env.url("GEMINI_URL", "https://generativelanguage.googleapis.com")
ANTHROPIC_API_KEY = env.text("ANTHROPIC_API_KEY")
CLAUDE_MODEL = env.text("CLAUDE_MODEL", "claude-sonnet-4-5")
ANTHROPIC_URL = env.url("ANTHROPIC_URL", "https://api.anthropic.com")

if len(FLEETWEB_TOKEN) < SHORTEST_TOKEN or not FLEETWEB_TOKEN.isascii():
    raise ConfigError(f"FLEETWEB_TOKEN wants {SHORTEST_TOKEN} or more ASCII characters.")

# --- Django's -----------------------------------------------------------------------------------

# The token is part of the key, so that a new token ends every session of the old one.
_generated_key = env.kept_secret(FLEETWEB_DATA / "secret_key")
SECRET_KEY = hashlib.sha256(f"{_generated_key}:{FLEETWEB_TOKEN}".encode()).hexdigest()
DEBUG = False
ALLOWED_HOSTS = list(env.names("FLEETWEB_ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]")))
ROOT_URLCONF = "fleetweb.urls"
ASGI_APPLICATION = "fleetweb.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
TIME_ZONE = env.time_zone()
USE_TZ = True

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "axes",
    "fleetweb.fleet",
    "fleetweb.gateway",
    "fleetweb.web",
]

MIDDLEWARE = [
    # What sets headers stands first, so that refusals and error pages have them too.
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "fleetweb.web.access.middleware.AccessMiddleware",
    "axes.middleware.AxesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "fleetweb.web.context.rehearsal",
                "fleetweb.web.context.zone",
            ],
        },
    },
]

# --- What is remembered, and how processes reach each other -------------------------------------

# What is pretended must not stand in the history of the machines it pretends to be. While a
# rehearsal runs, commands of the same data directory talk to its database.
HISTORY = FLEETWEB_DATA / "fleetweb.sqlite3"
REHEARSAL_HISTORY = FLEETWEB_DATA / "rehearsal.sqlite3"
REHEARSING = FLEETWEB_DATA / "rehearsing"

SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": REHEARSAL_HISTORY if REHEARSING.exists() else HISTORY,
    "OPTIONS": {
        # A deferred transaction that turns into a write fails at once when another one writes.
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    },
}

LONGER_THAN_ANY_PAGE_S = 10 * 365 * 86_400  # after a day, Channels would push no more
# Seconds: to wait for a free connection, and to try for a new one before whoever comes next does.
POOL = {"min_size": 1, "max_size": 16, "timeout": 5, "reconnect_timeout": 5}

REDIS_URL = env.text("REDIS_URL")
if REDIS_URL and not REDIS_URL.startswith(("redis://", "rediss://", "unix://")):
    raise ConfigError("REDIS_URL wants an address like redis://localhost:6379/0.")


def _database() -> dict[str, object]:
    address = env.text("DATABASE_URL")
    if address is None:
        return SQLITE
    try:
        # Checked before each use: a database that was restarted costs no request.
        parsed = dj_database_url.parse(address, conn_health_checks=True)
    except ValueError as error:
        raise ConfigError(
            "DATABASE_URL wants an address like postgres://user:password@host:5432/fleetweb."
        ) from error
    if parsed["ENGINE"] == "django.db.backends.postgresql":
        return {**parsed, "OPTIONS": {**parsed.get("OPTIONS", {}), "pool": POOL}}
    return {**parsed}


DATABASES = {"default": _database()}

CACHES: dict[str, dict[str, object]]
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "fleetweb.fleet.redis_layer.RedisLayer",
            "CONFIG": {"url": REDIS_URL},
        }
    }
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "OPTIONS": {"pool_class": "fleetweb.fleet.redis_cache.SharedPool"},
        }
    }
else:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels.layers.InMemoryChannelLayer",
            "CONFIG": {"group_expiry": LONGER_THAN_ANY_PAGE_S},
        }
    }
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 10_000},
        }
    }

# --- Static files -------------------------------------------------------------------------------

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True

# --- Who gets in --------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "fleetweb.web.access.owner.OwnerTokenBackend",
    "fleetweb.web.access.keys.ApiKeyBackend",
    "django.contrib.auth.backends.ModelBackend",
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "room"
LOGOUT_REDIRECT_URL = LOGIN_URL
SESSION_ENGINE = "fleetweb.web.access.sessions"
SESSION_COOKIE_NAME = "fleetweb_session"
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "fleetweb_csrf"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "fleetweb.web.access.refusals.csrf_failure"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.1  # hours
AXES_LOCKOUT_PARAMETERS = [["ip_address", "username"]]
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_CALLABLE = "fleetweb.web.access.refusals.locked_out"
# Tries are counted in the cache: the database handler would keep what was typed. Without Redis
# there is one process, and its own memory is enough.
AXES_HANDLER = "axes.handlers.cache.AxesCacheHandler"
SILENCED_SYSTEM_CHECKS = [] if REDIS_URL else ["axes.W001"]
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- Logs: what goes wrong, once per change of condition ----------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django": {"level": "WARNING"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},  # any page can send one
        "django.request": {"level": "ERROR"},  # a stranger's 401s and 404s are not news
        "django.server": {"propagate": True, "handlers": []},
        "daphne": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        "psycopg.pool": {"level": "ERROR"},  # every try of an outage; who needs it says it once
    },
}
