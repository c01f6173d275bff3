"""The fleet's presence as Prometheus gauges. What is not known has no sample, rather than a 0."""

from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from fleetweb.core.presence import CognitiveState, Condition, FleetPresence, NodePresence
from fleetweb.core.streams import Stage

Samples = Iterable[tuple[tuple[str, ...], float | None]]


def exposition(presence: FleetPresence | None) -> bytes:
    """All gauges in Prometheus' text format; none of a fleet that nobody has looked at yet."""
    registry = CollectorRegistry(auto_describe=False)
    if presence is not None:
        registry.register(_Gauges(presence))
    return generate_latest(registry)


class _Gauges(Collector):
    def __init__(self, presence: FleetPresence) -> None:
        self.presence = presence

    def collect(self) -> Iterator[GaugeMetricFamily]:
        nodes = self.presence.nodes
        yield from _of_nodes(nodes)
        yield _gauge(
            "fleetweb_node_state",
            "1 for the state a machine is in, 0 for the others.",
            ("node", "state"),
            (((n.name, s.value), float(n.load.state is s)) for n in nodes for s in CognitiveState),
        )
        yield _gauge(
            "fleetweb_cluster_up",
            "1 while a cluster answers as exo does and is well.",
            ("cluster",),
            (((c.name,), float(c.condition is Condition.WELL)) for c in self.presence.clusters),
        )
        yield _gauge(
            "fleetweb_requests_in_hand",
            "Requests that exo has in hand.",
            (),
            [((), float(len(self.presence.work)))],
        )
        stages = Counter(stream.stage for stream in self.presence.streams)
        yield _gauge(
            "fleetweb_gateway_requests",
            "Requests that the gateway has in hand, by how far they are: waiting is the queue.",
            ("stage",),
            (((stage.value,), float(stages[stage])) for stage in Stage),
        )
        yield _gauge(
            "fleetweb_presence_timestamp_seconds",
            "When the fleet was last looked at.",
            (),
            [((), self.presence.at.timestamp())],
        )


def _of_nodes(nodes: tuple[NodePresence, ...]) -> Iterator[GaugeMetricFamily]:
    here = [(node, node.exo) for node in nodes if node.exo]
    yield _gauge(
        "fleetweb_node_up",
        "1 while exo counts a machine in.",
        ("node",),
        (((node.name,), float(node.exo is not None)) for node in nodes),
    )
    yield _gauge(
        "fleetweb_node_intensity_ratio",
        "How hard a machine works, 0..1.",
        ("node",),
        (((node.name,), node.load.intensity) for node, _ in here),
    )
    figures = {
        "memory_total_bytes": "Memory of a machine.",
        "memory_used_bytes": "Memory in use on a machine.",
        "gpu_usage": "GPU in use, 0..1; only Macs say.",
        "temperature_c": "Temperature in degrees Celsius; only Macs say.",
        "power_w": "Power drawn in watts; only Macs say.",
    }
    names = {"gpu_usage": "gpu_usage_ratio", "temperature_c": "temperature_celsius"}
    names |= {"power_w": "power_watts"}
    for figure, help_text in figures.items():
        yield _gauge(
            f"fleetweb_node_{names.get(figure, figure)}",
            help_text,
            ("node",),
            (((node.name,), getattr(exo, figure)) for node, exo in here),
        )


def _gauge(
    name: str, help_text: str, labels: tuple[str, ...], samples: Samples
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=labels)
    for values, value in samples:
        if value is not None:
            family.add_metric(values, value)
    return family
