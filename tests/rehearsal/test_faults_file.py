"""The file that says what goes wrong, and what is said of one that is wrong itself."""

from pathlib import Path

import pytest

from fleetweb.errors import ConfigError
from fleetweb.rehearsal import Fault, FaultKind, load_faults

TOML = """
[[faults]]
at = 3
kind = "node_dies"
node = "soldier2"
for_s = 20.5

[[faults]]
kind = "thinking_circles"
count = 3
"""
JSON = '[{"kind": "state_html", "at": 1.5, "node": "king"}]'


def written(folder: Path, text: str, name: str = "faults.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_reads_toml(tmp_path: Path) -> None:
    assert load_faults(written(tmp_path, TOML)) == (
        Fault(FaultKind.NODE_DIES, at=3, node="soldier2", for_s=20.5),
        Fault(FaultKind.THINKING_CIRCLES, count=3),
    )


def test_reads_json(tmp_path: Path) -> None:
    assert load_faults(written(tmp_path, JSON, "faults.json")) == (
        Fault(FaultKind.STATE_HTML, at=1.5, node="king"),
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[[faults]]\nkind = "node_explodes"', r"fault 1: the kind 'node_explodes' is unknown"),
        ("[[faults]]\nat = 3", r"fault 1: the kind None is unknown"),
        (TOML + '[[faults]]\nkind = "node_hangs"', r"fault 3: node_hangs needs a node"),
        ('[[faults]]\nkind = "election"\nat = "soon"', r"fault 1: at must be a number"),
        ('[[faults]]\nkind = "election"\nat = -1', r"fault 1: at must be a number, 0 or more"),
        ('[[faults]]\nkind = "election"\ncount = true', r"fault 1: count must be a number"),
        ('[[faults]]\nkind = "election"\nnode = 7', r"fault 1: node must be a text"),
        ('[[faults]]\nkind = "election"\nwhen = 3', r"fault 1: 'when' is unknown"),
        ("faults = [3]", r"fault 1: 3 is not a table"),
        ("[faults]\nx = 1", r"holds no list of faults"),
        ("[[faults", r"is malformed"),
    ],
)
def test_wrong_entry_is_named_with_its_file(tmp_path: Path, text: str, complaint: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=complaint) as raised:
        load_faults(path)
    assert str(raised.value).startswith(str(path))


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: the faults file cannot be read"):
        load_faults(tmp_path / "nowhere.toml")


def test_json_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is malformed"):
        load_faults(written(tmp_path, "[", "faults.json"))
