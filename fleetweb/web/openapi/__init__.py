"""What `/v1` and `/api` serve, as an OpenAPI 3.1 document: `GET /api/openapi.json`."""

from .document import document
from .view import openapi

__all__ = ["document", "openapi"]
