#!/usr/bin/env python
"""The project's commands: `python manage.py serve` opens the control room."""

import os
import sys

from fleetweb.errors import ConfigError


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetweb.settings")
    try:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:
        return 130
    except ConfigError as error:
        sys.stderr.write(f"fleetweb can't start. {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
