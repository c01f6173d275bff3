"""Many rows into one table, past the ORM: COPY on PostgreSQL, prepared statements on SQLite."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from django.db import connection, models

# What drivers take as it stands. To ask each field takes longer than to save what it says.
AS_IS: Final = frozenset(
    {
        "BigIntegerField",
        "BooleanField",
        "CharField",
        "FloatField",
        "ForeignKey",
        "IntegerField",
        "OneToOneField",
        "PositiveIntegerField",
        "PositiveSmallIntegerField",
        "TextField",
    }
)

NUL: Final = "\0"
NUL_IN_JSON: Final = b"\\u0000"
NO_CHARACTER: Final = "\ufffd"


class Table:
    """The columns of `model` that its rows are given in.

    `kept` are those that `upsert` leaves as they are where the row is there.
    """

    def __init__(
        self,
        model: type[models.Model],
        *,
        without: Sequence[str] = (),
        kept: Sequence[str] = (),
    ) -> None:
        fields = model._meta.concrete_fields
        self.fields = [field for field in fields if field.name not in without]
        self._ways = _ways(self.fields)
        self._table = model._meta.db_table
        self._columns = ", ".join(f'"{field.column}"' for field in self.fields)
        marks = ", ".join(["%s"] * len(self.fields))
        self._insert = f'INSERT INTO "{self._table}" ({self._columns}) VALUES ({marks})'  # noqa: S608
        renewed = [f for f in self.fields if not f.primary_key and f.name not in kept]
        changes = ", ".join(f'"{f.column}" = EXCLUDED."{f.column}"' for f in renewed)
        self._key = model._meta.pk.column
        self._upsert = f'{self._insert} ON CONFLICT ("{self._key}") DO UPDATE SET {changes}'

    def row(self, instance: models.Model) -> list[Any]:
        """What the database is given for `instance`."""
        return [_stored(instance, name, field) for name, field in self._ways]

    def insert(self, rows: Sequence[Sequence[Any]]) -> None:
        """All of them, in the transaction that goes on."""
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                self._copy(cursor, rows)
            else:
                cursor.executemany(self._insert, rows)

    def upsert(self, instances: Iterable[models.Model]) -> None:
        """Each inserted, or renewed where one of that key is there.

        Django's `bulk_create` makes its statement anew for every batch: with the forty columns of
        a request that takes longer than all else that is done to save one.
        """
        if rows := [self.row(instance) for instance in instances]:
            with connection.cursor() as cursor:
                cursor.executemany(self._upsert, rows)

    def update(self, instances: Iterable[models.Model], *names: str) -> None:
        """These fields of rows that are there. Django's `bulk_update` makes a case of every row."""
        fields = [field for field in self.fields if field.name in names]
        changes = ", ".join(f'"{field.column}" = %s' for field in fields)
        update = f'UPDATE "{self._table}" SET {changes} WHERE "{self._key}" = %s'  # noqa: S608
        ways = _ways(fields)
        rows = [[*(_stored(one, *way) for way in ways), one.pk] for one in instances]
        with connection.cursor() as cursor:
            cursor.executemany(update, rows)

    def _copy(self, cursor: Any, rows: Iterable[Sequence[Any]]) -> None:
        with cursor.copy(f'COPY "{self._table}" ({self._columns}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)


def _ways(fields: Iterable[Any]) -> list[tuple[str, Any]]:
    """The attribute of each, and the field where what it holds has to be turned into another."""
    return [(f.attname, None if f.get_internal_type() in AS_IS else f) for f in fields]


def _stored(instance: models.Model, name: str, field: Any) -> Any:
    """What the database is given. PostgreSQL would not take a row with a NUL in it at all."""
    value = getattr(instance, name)
    if isinstance(value, str):
        return value.replace(NUL, NO_CHARACTER)
    if value is None or field is None:
        return value
    # To walk through each takes nine times as long (measured) as to write it down and look.
    if isinstance(value, list | dict) and NUL_IN_JSON in msgspec.json.encode(value):
        value = _without_nul(value)
    return field.get_db_prep_save(value, connection)


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(NUL, NO_CHARACTER)
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(inner) for name, inner in value.items()}
    return [_without_nul(inner) for inner in value] if isinstance(value, list) else value
