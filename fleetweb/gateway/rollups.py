"""Adding up requests that have ended, and adding them up again from the rows.

A request belongs to the time it was asked. The rows themselves say what is counted: counts and
`counted_as` change in one transaction, by whoever has its turn (`HistoryTurn`), so each request
counts once, however often it is saved, and however many processes count. No answer waits for it:
adding one request up takes longer than all else that is done for it, adding up a second's requests
takes hardly more than one. Whoever reads (`series`) adds what is not counted yet.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from fleetweb.core.buckets import STEPS, Resolution, Step, at_of, starts
from fleetweb.core.streams import Outcome

from . import energy
from .bulk import Table
from .models import RequestMetric
from .rollup_models import HistoryTurn, Rollup, RollupSubject
from .tally import Bucket, Subject, Sums, Tally, sums_in

A_DAY: Final[Step] = STEPS[-1]
KEY_FIELDS: Final = ("subject", "resolution", "start_s")
SUM_FIELDS: Final = tuple(
    field.name for field in Rollup._meta.concrete_fields if field.name not in ("id", *KEY_FIELDS)
)
_METRICS: Final = Table(RequestMetric)


def catch_up(most: int = 1000) -> int:
    """Add up what has ended and is not counted; how many that were. Call it until that is 0."""
    if not RequestMetric.objects.uncounted().exists():
        return 0
    with transaction.atomic():
        HistoryTurn.objects.take()
        ended = list(RequestMetric.objects.uncounted().order_by("asked_at")[:most])
        energy.measure(ended)
        tally = Tally(timezone.get_default_timezone())
        for metric in ended:
            count(tally, metric)
        add(tally)
        _mark(ended)
    return len(ended)


def count(tally: Tally, metric: RequestMetric) -> None:
    """Add a request that has ended. One that was given up for lost may end after all."""
    if not metric.counted_as:
        tally.add(metric)
    elif metric.counted_as == Outcome.INTERRUPTED:
        tally.take_off_interrupted(metric)
        tally.add(metric)


def rebuild(since: datetime, until: datetime) -> Iterator[tuple[datetime, int]]:
    """Add up anew what was asked from `since` to `until`, in whole days of the owner's.

    Yields each day and how many requests it had, as it is done. Days of which requests have been
    pruned are left as they are. Nobody who writes waits for more than an hour's requests.
    """
    kept_from = HistoryTurn.objects.filter(rows_from__isnull=False).first()
    first_s = kept_from.rows_from.timestamp() if kept_from and kept_from.rows_from else 0
    edges = starts(since, until, A_DAY, timezone.get_default_timezone())
    for begins_s, ends_s in pairwise(edges):
        if begins_s >= first_s:
            for hour_s in range(begins_s - begins_s % Resolution.HOUR, ends_s, Resolution.HOUR):
                _rebuild_hour(hour_s)
            yield at_of(begins_s), _rebuild_day(begins_s, ends_s)


def add_up_days(since: datetime, until: datetime) -> None:
    """Add days up anew from their hours, for all that `since` and `until` lie in or between."""
    edges = starts(since, until, A_DAY, timezone.get_default_timezone())
    for begins_s, ends_s in pairwise(edges):
        _rebuild_day(begins_s, ends_s)


def add(tally: Tally) -> None:
    """Add to what is kept. The turn must have been taken."""
    if not tally.sums:
        return
    rows = _rows(tally.sums)
    missing = {bucket.subject for bucket in tally.sums if bucket not in rows}
    subjects = subject_rows(missing) if missing else {}
    for bucket, sums in tally.sums.items():
        row = rows.get(bucket)
        if row is None:
            row = rows[bucket] = empty_row(bucket, subjects[bucket.subject])
        sums.add_to(row)
    _save(rows.values())


def subject_rows(subjects: Iterable[Subject]) -> dict[Subject, RollupSubject]:
    """The subjects' own rows, made where there are none."""
    wanted = set(subjects)
    found = _known(wanted)
    if missing := wanted - found.keys():
        made = (RollupSubject(scope=s.scope, name=s.name, model=s.model) for s in missing)
        RollupSubject.objects.bulk_create(made, ignore_conflicts=True)
        found |= _known(missing)
    return found


def empty_row(bucket: Bucket, subject: RollupSubject) -> Rollup:
    return Rollup(subject=subject, resolution=bucket.resolution.value, start_s=bucket.start_s)


def _known(subjects: set[Subject]) -> dict[Subject, RollupSubject]:
    rows = RollupSubject.objects.filter(
        scope__in={s.scope for s in subjects},
        name__in={s.name for s in subjects},
        model__in={s.model for s in subjects},
    )
    found = {Subject(row.scope, row.name, row.model): row for row in rows}
    return {subject: found[subject] for subject in subjects if subject in found}


def _rows(sums: dict[Bucket, Sums]) -> dict[Bucket, Rollup]:
    """The rows that are there of these buckets."""
    subjects = {bucket.subject for bucket in sums}
    rows = Rollup.objects.select_related("subject").filter(
        subject__scope__in={s.scope for s in subjects},
        subject__name__in={s.name for s in subjects},
        subject__model__in={s.model for s in subjects},
        resolution__in=[resolution.value for resolution in Resolution],
        start_s__in={bucket.start_s for bucket in sums},
    )
    found = {_bucket_of(row): row for row in rows}
    return {bucket: row for bucket, row in found.items() if bucket in sums}


def _bucket_of(row: Rollup) -> Bucket:
    return Bucket(_subject_of(row), Resolution(row.resolution), row.start_s)


def _subject_of(row: Rollup) -> Subject:
    return Subject(row.subject.scope, row.subject.name, row.subject.model)


def _save(rows: Iterable[Rollup]) -> None:
    Rollup.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=KEY_FIELDS, update_fields=SUM_FIELDS
    )


def _mark(counted: Sequence[RequestMetric]) -> None:
    """Write down that they are counted, as what they were when they were read."""
    for metric in counted:
        metric.counted_as = metric.status
    _METRICS.update(counted, "counted_as", "energy_j")


@transaction.atomic
def _rebuild_hour(begins_s: int) -> None:
    """The hour and its minutes, from the rows."""
    HistoryTurn.objects.take()
    ends_s = begins_s + Resolution.HOUR
    finer = (Resolution.MINUTE, Resolution.HOUR)
    Rollup.objects.between(begins_s, ends_s).filter(resolution__in=finer).delete()
    rows = RequestMetric.objects.since(at_of(begins_s)).filter(asked_at__lt=at_of(ends_s))
    rows.uncounted().update(counted_as=F("status"))
    tally = Tally(timezone.get_default_timezone(), finer)
    for metric in rows.filter(counted_as=F("status")).order_by("asked_at").iterator():
        tally.add(metric)
    add(tally)


@transaction.atomic
def _rebuild_day(begins_s: int, ends_s: int) -> int:
    """A day from its hours; from its minutes, where the owner's midnight is not at a full hour."""
    HistoryTurn.objects.take()
    day = Rollup.objects.between(begins_s, ends_s)
    day.filter(resolution=Resolution.DAY).delete()
    is_whole = begins_s % Resolution.HOUR == 0 and ends_s % Resolution.HOUR == 0
    source = Resolution.HOUR if is_whole else Resolution.MINUTE
    tally = Tally(timezone.get_default_timezone())
    for row in day.filter(resolution=source).select_related("subject").iterator():
        bucket = Bucket(_subject_of(row), Resolution.DAY, begins_s)
        tally.sums_at(bucket).add(sums_in(row))
    add(tally)
    everything = tally.sums.get(Bucket(Subject(RollupSubject.ALL), Resolution.DAY, begins_s))
    return everything.count if everything else 0
