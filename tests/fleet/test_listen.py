import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

LOOP = "The answer is 12, let me write the answer. " * 5


def listen(*arguments: str) -> list[dict[str, Any]]:
    out = io.StringIO()
    call_command("listen", *arguments, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_says_what_presence_would_have_said(tmp_path: Path):
    recording = tmp_path / "stream.jsonl"
    pieces = [LOOP[at : at + 4] for at in range(0, len(LOOP), 4)]
    rows = [{"at": n / 10, "text": text, "thinking": True} for n, text in enumerate(pieces)]
    recording.write_text("\n".join(json.dumps(row) for row in rows))

    *changes, last = listen(str(recording))

    assert changes[0] == {"at": 0.0, "phase": "thinking"}
    (began,) = [row for row in changes if row.get("label") == "circling" and row["holds"]]
    assert {each["signal"] for each in began["evidence"]} >= {"cycle_words", "cycle_start_char"}
    assert last["summary"]["circling"] == 1
    assert last["summary"]["thinking_chars"] == len(LOOP)


def test_judges_a_labelled_set(tmp_path: Path):
    labelled = tmp_path / "set.jsonl"
    truth = {"contradiction": False, "recursive": False, "circling": True}
    row = {"id": "s1", "segments": [{"text": LOOP, "label": "loop"}], **truth}
    labelled.write_text(json.dumps(row) + "\n")

    found, last = listen("--jsonl-labelled", str(labelled))

    assert found == {"id": "s1", **truth}
    assert last["summary"]["streams"] == 1
    assert last["summary"]["circling"]["precision"] == 1.0


def test_reads_standard_input(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.StringIO('{"text": "Hello"}\n'))

    assert listen("-")[0]["phase"] == "answering"


@pytest.mark.parametrize("content", ["nonsense\n", '{"at": 1}\n'])
def test_says_what_is_wrong_with_a_file(tmp_path: Path, content: str):
    recording = tmp_path / "stream.jsonl"
    recording.write_text(content)

    with pytest.raises(CommandError, match="line 1"):
        listen(str(recording))


def test_says_that_a_file_is_not_there(tmp_path: Path):
    with pytest.raises(CommandError, match="cannot be read"):
        listen(str(tmp_path / "nowhere"))
