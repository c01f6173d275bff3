"""What a provider is: something that takes a prompt and gives its answer in pieces."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Protocol

from ...core.chat import ChatRequest, Chunk


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a provider, in seconds.

    `first_s` runs from the request to the first sign of the answer, `between_s` from each sign to
    the next; progress in reading is a sign, a keep-alive is none. `total_s` bounds it all, None
    for no bound. A large model may read for minutes, so the gateway, which knows what this one
    has done before, is the one to be stricter.
    """

    connect_s: float = 5.0
    first_s: float = 900.0
    between_s: float = 300.0
    total_s: float | None = None


PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """Where a provider is, what it needs. `name` defaults to its kind; the key is never shown."""

    url: str
    name: str | None = None
    default_model: str | None = None
    api_key: str | None = field(default=None, repr=False)


class Provider(Protocol):
    """Takes prompts and gives answers. Every error of it is a ProviderError.

    `kind` is one of the registry's names; `leaves_house` tells whether prompts go to someone
    else's machines; `default_model` is what stands in where a request's model is not known here.
    """

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def leaves_house(self) -> bool: ...

    @property
    def default_model(self) -> str | None: ...

    def stream(
        self, request: ChatRequest, model: str, *, patience: Patience = PATIENCE
    ) -> AsyncGenerator[Chunk, None]:
        """The pieces of `model`'s answer, as they come.

        The last pieces bring `finish_reason` and `usage`; the end without an error means the
        answer is complete. Closing it (`contextlib.aclosing`) closes the connection at once,
        which is what stops the work on the other side. Raises nothing before the first step.
        """
        ...

    async def models(self) -> tuple[str, ...]:
        """The names of the models it could answer with. Raises ProviderError."""
        ...

    async def health(self) -> str | None:
        """None when it answers, else what is wrong, for people."""
        ...
