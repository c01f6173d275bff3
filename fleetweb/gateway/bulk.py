"""Many rows into one table, past the ORM: COPY on PostgreSQL, prepared statements on SQLite."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, models


class Table:
    """The columns of `model` that its rows are given in."""

    def __init__(self, model: type[models.Model], *, without: Sequence[str] = ()) -> None:
        fields = model._meta.concrete_fields
        self.fields = [field for field in fields if field.name not in without]
        self._table = model._meta.db_table
        self._columns = ", ".join(f'"{field.column}"' for field in self.fields)

    def row(self, instance: models.Model) -> list[Any]:
        """What the database is given for `instance`."""
        return [
            field.get_db_prep_save(getattr(instance, field.attname), connection)
            for field in self.fields
        ]

    def insert(self, rows: Sequence[Sequence[Any]]) -> None:
        """All of them, in the transaction that goes on."""
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                self._copy(cursor, rows)
            else:
                marks = ", ".join(["%s"] * len(self.fields))
                into = f'INSERT INTO "{self._table}" ({self._columns}) VALUES ({marks})'  # noqa: S608
                cursor.executemany(into, rows)

    def _copy(self, cursor: Any, rows: Iterable[Sequence[Any]]) -> None:
        with cursor.copy(f'COPY "{self._table}" ({self._columns}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)
