"""Whatever is broken in a real state, reading it either works or says that it is no state."""

import copy
import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fleetweb.core.snapshot import ClusterSnapshot
from fleetweb.errors import ClusterReplyInvalid
from fleetweb.upstream.exo import decode_state
from tests.recordings import RECORDINGS, load
from tests.upstream.test_exo_tolerance import a_state

SEEN_AT = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
RECORDED = (
    "downloading-state.trimmed.json",
    "runner-failed-state.trimmed.json",
    "cluster-3of4-ready-state.trimmed.json",
)
STATES = [a_state(), *(load(name) for name in RECORDED if (RECORDINGS / name).exists())]
DELETED = object()
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.just("2026-11-23T15:59:59")
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=9), inner, max_size=2)


VALUES = st.just(DELETED) | st.recursive(SCALARS, _containers, max_leaves=4)


def mutate(node: Any, draw: Any) -> Any:
    """`node` with one subtree, somewhere beneath it, deleted or replaced."""
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    key = draw(st.sampled_from(keys))
    if isinstance(node[key], dict | list) and node[key] and draw(st.integers(0, 4)):
        node[key] = mutate(node[key], draw)
        return node
    value = draw(VALUES)
    if value is DELETED:
        del node[key]
    else:
        node[key] = value
    return node


def read(body: bytes) -> ClusterSnapshot | None:
    try:
        return decode_state(body, SEEN_AT)
    except ClusterReplyInvalid:
        return None


@given(st.data())
def test_a_mutated_state_is_read_or_refused(data: Any) -> None:
    state = copy.deepcopy(data.draw(st.sampled_from(STATES)))
    for _ in range(data.draw(st.integers(1, 4))):
        if state:
            state = mutate(state, data.draw)
    snapshot = read(json.dumps(state).encode("utf-8", "surrogatepass"))
    if snapshot is not None:
        hash(snapshot)  # frozen through and through: no list or dict of the wire is left in it
        assert len(snapshot.flaws) <= 20
        assert snapshot.busy_node_ids <= {n for i in snapshot.instances for n in i.node_ids}
        assert all(d.eta_s is None or 0 <= d.eta_s <= 30 * 86_400 for d in snapshot.downloads)


@given(st.data())
def test_a_state_with_broken_bytes_is_read_or_refused(data: Any) -> None:
    body = bytearray(json.dumps(data.draw(st.sampled_from(STATES))).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    snapshot = read(bytes(body))
    assert snapshot is None or snapshot.seen_at == SEEN_AT


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_anything_at_all_is_read_or_refused(body: bytes) -> None:
    snapshot = read(body)
    assert snapshot is None or snapshot.seen_at == SEEN_AT
