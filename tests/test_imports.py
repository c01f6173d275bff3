"""Imports go one way, and only one module speaks HTTP; shown to fail on a tree that is wrong."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "fleetweb"

# core <- upstream <- fleet <- gateway <- web <- asgi, urls; a layer may always use itself.
MAY_USE: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "env": frozenset({"errors"}),
    "settings": frozenset({"env", "errors"}),
    "core": frozenset({"errors"}),
    "rehearsal": frozenset({"core", "errors"}),
    "upstream": frozenset({"core", "errors"}),
    "fleet": frozenset({"upstream", "rehearsal", "core", "errors"}),
    "gateway": frozenset({"fleet", "upstream", "core", "errors"}),
    "web": frozenset({"gateway", "fleet", "upstream", "rehearsal", "core", "env", "errors"}),
    "asgi": frozenset({"web", "gateway", "fleet", "upstream", "core", "env", "errors"}),
    "urls": frozenset({"web", "gateway", "fleet", "upstream", "core", "errors"}),
}
DJANGO = frozenset({"django", "channels", "daphne", "asgiref"})
OUTGOING = frozenset({"httpx", "httpx2", "requests", "aiohttp", "urllib3", "urllib.request"})
NETWORK = OUTGOING | {"asyncio", "socket", "ssl", "http.client", "selectors"}
MAY_NOT_USE: dict[str, frozenset[str]] = {
    "core": DJANGO | NETWORK | {"time", "threading", "subprocess", "os", "logging"},
    "upstream": DJANGO,
    "rehearsal": DJANGO | OUTGOING,
}
SPEAKS_HTTP = "upstream/http.py"
CLOCKS = frozenset({"now", "utcnow", "today", "localtime", "gmtime", "monotonic", "perf_counter"})


def violations(package: Path) -> list[str]:
    """Every wrong import and every clock read where none may be, as `file:line: what`."""
    found = []
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(), filename=str(path))
        shown = path.relative_to(package).as_posix()
        for line, what in (*wrong_imports(tree, path, package), *clocks_read(tree, path, package)):
            found.append(f"{shown}:{line}: {what}")
    return found


def layer_of(path: Path, package: Path) -> str:
    return path.relative_to(package).parts[0].removesuffix(".py")


def wrong_imports(tree: ast.AST, path: Path, package: Path) -> Iterator[tuple[int, str]]:
    layer = layer_of(path, package)
    for line, name in imported(tree, path, package):
        top, _, rest = name.partition(".")
        other = rest.split(".")[0]
        if top == package.name:
            if other in MAY_USE and other != layer and other not in MAY_USE.get(layer, ()):
                yield line, f"{layer} may not use {other} ({name})"
        elif within(name, MAY_NOT_USE.get(layer, ())):
            yield line, f"{layer} may not use {name}"
        elif within(name, OUTGOING) and path != package / SPEAKS_HTTP:
            yield line, f"only {SPEAKS_HTTP} may use {name}"


def within(name: str, modules: Iterable[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def imported(tree: ast.AST, path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """The absolute name of everything that is imported, wherever in the file it is."""
    home = [package.name, *path.relative_to(package).parent.parts]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = home[: len(home) - node.level + 1] if node.level else []
            base = [*above, *([node.module] if node.module else [])]
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)


def clocks_read(tree: ast.AST, path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Calls that ask what time it is. `core` is told; it never asks."""
    if layer_of(path, package) == "core":
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in CLOCKS
            ):
                yield node.lineno, f"core may not read a clock ({ast.unparse(node.func)})"


def test_imports_go_one_way():
    assert violations(PACKAGE) == []


def test_every_part_of_the_package_has_its_place():
    parts = {layer_of(path, PACKAGE) for path in PACKAGE.rglob("*.py")}
    assert parts - {"__init__"} <= set(MAY_USE)


@pytest.fixture
def tree(tmp_path):
    """Writes files of a package called fleetweb and answers what is wrong with them."""

    def write(**files: str) -> list[str]:
        for name, text in files.items():
            path = tmp_path / "fleetweb" / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return violations(tmp_path / "fleetweb")

    return write


def test_a_tree_that_is_right_has_no_violations(tree):
    right = tree(
        core__words="import re\nfrom ..errors import FleetError\nfrom .voice import say\n",
        core__voice="def say(now):\n    return now\n",
        upstream__http="import httpx2 as httpx\nimport asyncio\n",
        upstream__exo="from . import http\nfrom ..core import words\n",
        fleet__models="from django.db import models\nfrom fleetweb.upstream.exo import Exo\n",
        web__views__room="from fleetweb.gateway import service\nfrom ...core.words import say\n",
    )
    assert right == []


@pytest.mark.parametrize(
    "wrong",
    [
        "from fleetweb.fleet.models import Node",
        "import fleetweb.upstream.exo",
        "from ..upstream import http",
        "from .. import web",
        "def late():\n    from fleetweb.gateway import service",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..fleet import models",
        "from django.utils import timezone",
        "import httpx2 as httpx",
        "import asyncio",
        "from socket import socket",
        "from time import time",
        "import urllib.request",
        "from datetime import datetime\nat = datetime.now()",
        "import datetime\nat = datetime.datetime.utcnow()",
    ],
)
def test_what_core_may_not_do_is_found(tree, wrong):
    (found,) = tree(core__words=wrong)
    assert found.startswith("core/words.py:")


@pytest.mark.parametrize(
    ("file", "wrong"),
    [
        ("upstream__exo", "from ..fleet import models"),
        ("upstream__exo", "from django.conf import settings"),
        ("upstream__exo", "import httpx2 as httpx"),
        ("rehearsal__cluster", "from django.conf import settings"),
        ("rehearsal__cluster", "from ..upstream.exo import Exo"),
        ("fleet__models", "from fleetweb.gateway.models import RequestMetric"),
        ("fleet__poller", "import requests"),
        ("gateway__service", "from ..web import consumers"),
        ("web__views__room", "from ... import urls"),
        ("web__views__room", "from ...asgi import application"),
        ("errors", "from .core import words"),
    ],
)
def test_what_other_layers_may_not_do_is_found(tree, file, wrong):
    assert len(tree(**{file: wrong})) == 1
