"""The fleet in a terminal, whoever has named its machines and written its prompts."""

from fleetweb.core.presence import CognitiveState
from fleetweb.web.terminal import Fleet, Machine, box


def test_nothing_that_others_wrote_commands_the_terminal():
    sentence = "Processing: \x1b]52;c;aGk=\x07\x1b[2J\u202eplan"
    machine = Machine("ki\x1b[1mng", sentence, CognitiveState.PROCESSING, 0.5)
    drawn = box(Fleet(sentence, "healthy", 512, (machine,)), 80)
    assert all(line.isprintable() for line in drawn.split("\n"))
    assert len({len(line) for line in drawn.split("\n")}) == 1
    assert "ki [1mng" in drawn
