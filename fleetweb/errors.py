"""Everything that can go wrong, as one hierarchy.

    FleetError
    ├── ConfigError              a setting or a file of the owner's is wrong
    ├── ClusterError             exo, as something to watch
    │   ├── ClusterUnreachable   no usable answer: refused, timed out, cut, an HTTP error
    │   └── ClusterReplyInvalid  an answer that is not exo's
    ├── ProviderError            whatever answers prompts; `retryable` asks whether another could
    │   ├── ProviderUnavailable  unreachable, overloaded, timed out, model not there
    │   ├── ProviderRefused      the caller's own mistake, or a key that is not accepted
    │   └── ProviderReplyInvalid cut short, empty or malformed
    └── RoutingError             nothing was left to send a request to
        ├── NoCandidate      nothing there could serve it now
        │   └── ModelUnknown nobody knows the model by that name
        └── AllFailed

Messages say what happened, to what, and what to do; they are shown to people as they are.
"""


class FleetError(Exception):
    """Base of every error this project raises on purpose."""


class ConfigError(FleetError):
    """A setting is missing or malformed. The message names it and what it wants."""


class ClusterError(FleetError):
    """A cluster could not be watched or commanded."""


class ClusterUnreachable(ClusterError):
    """The cluster gave no usable answer at the address asked."""


class ClusterReplyInvalid(ClusterError):
    """Something answered, but not as exo does."""


class ProviderError(FleetError):
    """A provider could not answer a prompt.

    `retryable` says whether another provider could cure it; `retry_after_s` is what the
    provider asked for in `Retry-After`, None where it said nothing.
    """

    retryable: bool = True

    def __init__(
        self, message: str, *, status: int | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


class ProviderUnavailable(ProviderError):
    """Unreachable, overloaded (429), failing (5xx), too slow, or without the model."""


class ProviderRefused(ProviderError):
    """The request itself is wrong (400, 401, 422); no other provider could cure that."""

    retryable = False


class ProviderReplyInvalid(ProviderError):
    """The answer was cut short, empty, or not in the provider's format."""


class RoutingError(FleetError):
    """No provider is left for a request."""


class NoCandidate(RoutingError):
    """Nothing is configured, loaded or free that could serve the request."""


class ModelUnknown(NoCandidate):
    """No model is known by the name that was asked for."""


class AllFailed(RoutingError):
    """Every candidate was tried; `attempts` are their errors in order."""

    def __init__(self, message: str, attempts: tuple[ProviderError, ...] = ()) -> None:
        super().__init__(message)
        self.attempts = attempts
