"""exo's failure texts as one short line: they can be tracebacks with paths, even with prompts."""

import re

_KNOWN: tuple[tuple[str, str], ...] = (
    (r"artificial runner exception", "Artificial runner exception (exo's built-in test)"),
    (r"out[ _-]?of[ _-]?memory|\boom\b|memoryerror|insufficient memory|bad_alloc", "out of memory"),
    (r"no space left|disk (is )?full|not enough (disk )?space", "its disk is full"),
    (r"timed? ?out|timeouterror", "it took too long"),
    (r"40[13]\b.*(client error|forbidden|unauthori)|gated repo", "access to the model was refused"),
    (
        r"\b404\b.*(client error|not found)|(file|entry|repository)not ?found|no such file",
        "a file of the model was not found",
    ),
    (
        r"name or service not known|cannot connect|connection|network is unreach|socket",
        "connection lost",
    ),
    (r"safetensors|checksum|corrupt|hash mismatch", "its model files are damaged"),
    (r"sigkill|exitcode ?= ?-9|signal 9\b|\bkilled\b", "its process was killed"),
    (
        r"terminated|exit ?code|exited|segmentation|sigsegv|sigabrt|process died",
        "its process ended",
    ),
)
_PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), line) for pattern, line in _KNOWN)
_ERROR_NAME = re.compile(r"\b([A-Z][A-Za-z]{2,40}(?:Error|Exception))\b")
_READ_CHARS = 20_000


def failure_line(text: str) -> str:
    """What went wrong, in at most 80 characters of our own: nothing of `text` is quoted.

    Only an exception's class name is passed on where nothing else is recognised.
    """
    text = text[:_READ_CHARS]
    known = next((line for pattern, line in _PATTERNS if pattern.search(text)), None)
    if known is not None:
        return known
    name = _ERROR_NAME.search(text)
    return f"it failed ({name[1]})" if name else "it failed, and exo did not say why"
