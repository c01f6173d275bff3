"""`python -m tests.bench NAME [ARGUMENTS]`: run one benchmark, print what it measured as JSON."""

import importlib
import json
import os
import pkgutil
import sys

import tests.bench


def main(arguments: list[str]) -> int:
    names = sorted(
        m.name for m in pkgutil.iter_modules(tests.bench.__path__) if m.name != "__main__"
    )
    if not arguments or arguments[0] not in names:
        print(f"Say which benchmark: {', '.join(names)}", file=sys.stderr)
        return 2
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    measured = importlib.import_module(f"tests.bench.{arguments[0]}").main(arguments[1:])
    print(json.dumps(measured, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
