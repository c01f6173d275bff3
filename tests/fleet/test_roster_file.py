"""The owner's description of the fleet, and every way to get it wrong."""

from pathlib import Path

import pytest

from fleetweb.core.roster import SOVEREIGN_FLEET, FleetNode, Role
from fleetweb.errors import ConfigError
from fleetweb.fleet import roster

KING = '[[nodes]]\nname = "king"\nrole = "king"\nhost = "king.local"\nmemory_gb = 512\n'


@pytest.fixture
def described(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "fleet.toml"
        path.write_text(text)
        return path

    return write


def test_without_a_file_it_is_the_reference_fleet():
    assert roster.load(None) == SOVEREIGN_FLEET


def test_a_file_describes_machines(described):
    drum = KING.replace("king", "drum").replace('role = "drum"', 'role = "drummer"')
    path = described(KING + "cpu_cores = 32\ngpu_cores = 80\n" + drum + 'exo_id = "12D3"\n')
    assert roster.load(path) == (
        FleetNode("king", Role.KING, "king.local", 512, 32, 80),
        FleetNode("drum", Role.DRUMMER, "drum.local", 512, exo_id="12D3"),
    )


@pytest.mark.parametrize("text", ["", "nodes = []\n", '[models."llama"]\nexo = "a/b"\n'])
def test_a_file_that_lists_nobody_means_only_what_exo_reports(described, text):
    assert roster.load(described(text)) == ()


def test_aliases_stand_beside_the_machines(described):
    path = described(KING + '[models."llama-3.3-70b"]\nexo = "mlx-community/Llama"\n')
    assert [node.name for node in roster.load(path)] == ["king"]


MISTAKES = {
    "not TOML": ("[[nodes]\n", "can't be read"),
    "something else": ("[servers]\na = 1\n", "servers"),
    "one table": ("[nodes]\nname = 'king'\n", "[[nodes]]"),
    "no table": ("nodes = ['king']\n", "number 1"),
    "a key nobody knows": (KING + "colour = 'red'\n", "number 1 has colour"),
    "a key missing": (KING.replace('host = "king.local"\n', ""), "number 1 wants host"),
    "a text for a number": (KING.replace("512", '"512"'), "number 1: memory_gb is '512'"),
    "a truth for a number": (KING.replace("512", "true"), "number 1: memory_gb is True"),
    "an empty name": (KING.replace('name = "king"', 'name = ""'), "number 1: name is ''"),
    "a negative number": (KING.replace("512", "-1"), "number 1: memory_gb is -1"),
    "an unknown role": (
        KING.replace('role = "king"', 'role = "queen"'),
        "number 1: role is 'queen'",
    ),
    "the second is wrong": (KING + "[[nodes]]\nname = 'two'\n", "number 2 wants role"),
    "a name twice": (KING + KING, "names king twice"),
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_names_the_file_and_the_entry(described, text, said):
    path = described(text)
    with pytest.raises(ConfigError) as raised:
        roster.load(path)
    assert str(raised.value).startswith(f"FLEETWEB_FLEET: {path}")
    assert said in str(raised.value)


def test_a_file_that_is_not_text_is_said(described, tmp_path):
    path = tmp_path / "fleet.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="can't be read"):
        roster.load(path)
