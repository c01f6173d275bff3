"""`manage.py listen`: what presence would have said of a recorded stream."""

import json
import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from fleetweb.core.listening.labelled import parse
from fleetweb.core.listening.report import Row, changes, predictions
from fleetweb.core.listening.transcript import pieces

_HELP = """Read a recorded stream and print what presence would have said, as JSON lines.

A recording is a transcript of server-sent events as exo sends them, or JSON lines of
{"at": seconds, "text": "...", "thinking": true}. Each change is a line:
  {"at": 1.2, "phase": "thinking"}
  {"at": 9.5, "label": "contradiction", "holds": true, "evidence": [{"signal", "value", ...}]}
and the last line is {"summary": {"seconds", "thinking_chars", "answer_chars", and how often each
label began: "contradiction", "recursive", "circling", "silent"}}.

With --jsonl-labelled each line of FILE is a labelled stream ({"id", "segments": [{"text",
"label"}], "contradiction", "recursive", "circling"}). For each it prints {"id", "contradiction",
"recursive", "circling"}, true where the label ever held, and at last {"summary": {"streams", and
per label "precision", "recall", "true_positives", "false_positives", "false_negatives"}}."""


class Command(BaseCommand):
    help = _HELP
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.add_argument("file", metavar="FILE", help="the recording; - for standard input")
        parser.add_argument(
            "--jsonl-labelled", action="store_true", help="FILE is a set of labelled streams"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            with _lines(options["file"]) as lines:
                for row in _rows(lines, labelled=options["jsonl_labelled"]):
                    self.stdout.write(json.dumps(row, ensure_ascii=False))
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise CommandError(f"{options['file']} cannot be understood: {error}.") from error


def _rows(lines: Iterable[str], *, labelled: bool) -> Iterator[Row]:
    if not labelled:
        return changes(pieces(lines))
    return predictions(parse(line) for line in lines if line.strip())


@contextmanager
def _lines(name: str) -> Iterator[Iterable[str]]:
    if name == "-":
        yield sys.stdin
        return
    with Path(name).open(encoding="utf-8") as file:
        yield file
