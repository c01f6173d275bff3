"""The document as a whole."""

from .history import HISTORY_PATHS, HISTORY_SCHEMAS
from .paths import PATHS
from .schemas import SCHEMAS
from .vocabulary import Json

ABOUT = (
    "A fleet of machines that run exo, behind one door. What is under `/v1` is OpenAI's interface: "
    "its official clients work with `/v1` as their base address and a key as theirs."
)


def document() -> Json:
    return {
        "openapi": "3.1.0",
        "info": {"title": "fleetweb", "version": "1", "description": ABOUT},
        "security": [{"bearer": []}],
        "paths": {**PATHS, **HISTORY_PATHS},
        "components": {
            "schemas": {**SCHEMAS, **HISTORY_SCHEMAS},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The owner's token, or an API key.",
                }
            },
        },
    }
