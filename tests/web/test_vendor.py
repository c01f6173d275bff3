"""What is taken from npm is what npm has, and nothing else lies beside it."""

import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def vendor(tmp_path: Path) -> ModuleType:
    """The script, at work on a copy."""
    spec = importlib.util.spec_from_file_location("vendor", ROOT / "scripts" / "vendor.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for folder in ("static/vendor", "tests/vendor"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "vendor.toml", tmp_path)
    module.ROOT, module.MANIFEST = tmp_path, tmp_path / "vendor.toml"
    return module


def test_every_file_is_as_listed(vendor: ModuleType) -> None:
    assert list(vendor.faults()) == []


def test_finds_a_file_that_was_changed(vendor: ModuleType) -> None:
    path = next((vendor.ROOT / "static/vendor").rglob("htmx.min.js"))
    path.write_text(path.read_text() + "//")
    (fault,) = vendor.faults()
    assert fault.endswith("htmx.min.js is not the file that vendor.toml lists.")


def test_finds_a_file_that_is_missing_and_one_that_is_not_listed(vendor: ModuleType) -> None:
    path = next((vendor.ROOT / "static/vendor").rglob("hx-ws.min.js"))
    path.rename(path.with_name("other.js"))
    assert [fault.rpartition("/")[2] for fault in vendor.faults()] == [
        "hx-ws.min.js is missing.",
        "other.js is not listed in vendor.toml.",
    ]


def test_takes_nothing_from_a_tarball_it_does_not_know(vendor: ModuleType) -> None:
    stranger = vendor.ROOT / "stranger.tgz"
    stranger.write_bytes(b"not from npm")
    with pytest.raises(SystemExit, match=r"none of vendor\.toml's packages"):
        vendor.renew(stranger)


def test_every_icon_in_use_is_in_the_sprite_and_every_other_is_not() -> None:
    used = set()
    for path in (ROOT / "templates").rglob("*.html"):
        used |= set(re.findall(r'{% icon "([a-z0-9-]+)"', path.read_text()))
    for path in (ROOT / "fleetweb/web/cards").glob("*.py"):
        used |= set(re.findall(r'Look\("[^"]+", "([a-z0-9-]+)"', path.read_text()))
    (sprite,) = (ROOT / "static/vendor").rglob("icons.svg")
    assert set(re.findall(r'<symbol id="([^"]+)"', sprite.read_text())) == used


def test_no_script_looks_for_a_source_map_that_is_not_there() -> None:
    for script in (ROOT / "static").rglob("*.js"):
        assert "sourceMappingURL" not in script.read_text(), script
