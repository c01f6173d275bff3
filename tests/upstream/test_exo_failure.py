"""exo's failure texts become one safe line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetweb.upstream.exo_failure import failure_line

TRACEBACK = (
    'Traceback (most recent call last):\n  File "/Users/me/exo/runner.py", line 3, in main\n'
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[metal::malloc] kIOGPUCommandBufferCallbackErrorOutOfMemory", "out of memory"),
        ("std::bad_alloc", "out of memory"),
        (TRACEBACK + "MemoryError", "out of memory"),
        ("Terminated (exitcode=-9)", "its process was killed"),
        ("Terminated (exitcode=1)", "its process ended"),
        ("Terminated (signal 11: Segmentation fault)", "its process ended"),
        (TRACEBACK + "TimeoutError: ring did not connect", "it took too long"),
        ("OSError: [Errno 28] No space left on device", "its disk is full"),
        ("404 Client Error for https://x/y", "a file of the model was not found"),
        ("FileNotFoundError: /Users/me/.exo/config.json", "a file of the model was not found"),
        ("ModuleNotFoundError: no module mlx", "it failed (ModuleNotFoundError)"),
        ("401 Client Error: Unauthorized", "access to the model was refused"),
        ("Cannot connect to host huggingface.co:443", "connection lost"),
        ("ConnectionResetError: peer", "connection lost"),
        (TRACEBACK + "ValueError: the prompt was: my secret", "it failed (ValueError)"),
        ("my secret", "it failed, and exo did not say why"),
        ("", "it failed, and exo did not say why"),
    ],
)
def test_says_why_in_words_of_our_own(text: str, line: str) -> None:
    assert failure_line(text) == line


@given(st.text())
def test_is_always_one_short_line(text: str) -> None:
    line = failure_line(text)
    assert 0 < len(line) <= 80
    assert "\n" not in line
