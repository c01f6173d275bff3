"""Models on their way to a machine's disk, on it, failed, or left half-way."""

from collections.abc import Iterator

from ..core.snapshot import Download, DownloadPhase
from .exo_failure import failure_line
from .exo_nodes import between, byte_count
from .exo_salvage import LOST, Flaws, salvage
from .exo_wire import (
    CardHolder,
    DownloadFields,
    DownloadProgress,
    DownloadUnion,
    PendingFields,
    State,
)

_LONGEST_ETA_S = 30 * 24 * 3600.0


def downloads_of(state: State, flaws: Flaws) -> tuple[Download, ...]:
    """What is on its way, on disk, failed or left half-way; the catalogue's Pending are dropped."""
    found: list[Download] = []
    for node_id, unions in (state.downloads or {}).items():
        for union in unions:
            found.extend(_download(node_id, union, flaws))
    return tuple(found)


def _download(node_id: str, union: DownloadUnion, flaws: Flaws) -> Iterator[Download]:
    if union.pending is not None:
        yield from _half_way(node_id, union.pending, flaws)
    elif union.ongoing is not None:
        yield from _ongoing(node_id, union.ongoing)
    elif union.completed is not None:
        yield from _completed(node_id, union.completed)
    elif union.failed is not None:
        yield from _failed(node_id, union.failed)
    else:
        flaws.note("downloads: one is of a kind this version does not know")


def _half_way(node_id: str, pending: PendingFields, flaws: Flaws) -> Iterator[Download]:
    """Pending with bytes on disk is a download that was begun and is not going on."""
    downloaded = byte_count(pending.downloaded)
    if downloaded:
        shard = salvage(
            pending.shard_metadata, dict[str, CardHolder], "downloads.shardMetadata", flaws
        )
        for model_id in () if shard is LOST else _model_ids(shard):
            total = byte_count(pending.total)
            yield Download(node_id, model_id, DownloadPhase.PENDING, total, downloaded)


def _ongoing(node_id: str, fields: DownloadFields) -> Iterator[Download]:
    progress = fields.download_progress or DownloadProgress()
    speed = between(progress.speed, 0.0, 1e12)
    for model_id in _model_ids(fields.shard_metadata):
        yield Download(
            node_id,
            model_id,
            DownloadPhase.ONGOING,
            total_bytes=byte_count(progress.total),
            downloaded_bytes=byte_count(progress.downloaded),
            bytes_per_s=speed,
            eta_s=_eta_s(progress.eta_ms, speed),
        )


def _eta_s(eta_ms: float | None, speed: float | None) -> float | None:
    """exo's estimate is absurd at first (67 days), and 0 while nothing moves."""
    seconds = None if eta_ms is None else between(eta_ms / 1000, 0.0, _LONGEST_ETA_S)
    return seconds if seconds or speed else None


def _completed(node_id: str, fields: DownloadFields) -> Iterator[Download]:
    total = byte_count(fields.total)
    for model_id in _model_ids(fields.shard_metadata):
        yield Download(node_id, model_id, DownloadPhase.COMPLETED, total, total)


def _failed(node_id: str, fields: DownloadFields) -> Iterator[Download]:
    failure = failure_line(fields.error_message or "")
    for model_id in _model_ids(fields.shard_metadata):
        yield Download(node_id, model_id, DownloadPhase.FAILED, failure=failure)


def _model_ids(shard: dict[str, CardHolder]) -> tuple[str, ...]:
    return tuple(holder.model_card.model_id for holder in shard.values())[:1]
