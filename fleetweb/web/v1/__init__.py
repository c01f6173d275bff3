"""`/v1`: OpenAI's interface as an ASGI application of its own beside Django's."""

from .application import application, beside

__all__ = ["application", "beside"]
