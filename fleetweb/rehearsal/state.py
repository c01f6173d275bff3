"""The one state that all nodes share: every change is an event, and every event raises the index.

Shapes are those of exo's `GET /state`. Source: exo 0.3.70.
"""

import json
from datetime import UTC, datetime
from typing import Any

from .shelf import Shelf

Json = dict[str, Any]

EMPTY_INDEX = -1  # lastEventAppliedIdx of a cluster that has just elected a master


def encode(value: object) -> bytes:
    """JSON as exo writes it: compact, and not escaped to ASCII."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class ClusterState:
    """What `/state` shows. Methods are events, named by what happened."""

    def __init__(self) -> None:
        self.emptied()

    def emptied(self) -> None:
        """A new master starts from nothing."""
        self.index = EMPTY_INDEX
        self.instances: dict[str, Json] = {}
        self.runners: dict[str, Json] = {}
        self.tasks: dict[str, Json] = {}
        self.last_seen: dict[str, datetime] = {}
        self.nodes: list[str] = []
        self.connections: dict[str, dict[str, list[Json]]] = {}
        self.identities: dict[str, Json] = {}
        self.memory: dict[str, Json] = {}
        self.disk: dict[str, Json] = {}
        self.system: dict[str, Json] = {}
        self.network: dict[str, Json] = {}
        self.backends: dict[str, list[str]] = {}
        self.shelf = Shelf()

    def applied(self, events: int = 1) -> None:
        self.index += events

    # nodes

    def node_joined(self, node_id: str, identity: Json, network: Json) -> None:
        if node_id not in self.nodes:
            self.nodes.append(node_id)
        self.identities[node_id] = identity
        self.network[node_id] = network
        self.backends[node_id] = ["MlxMetal", "MlxCpu"]
        self.applied(4)

    def node_gathered_info(self, node_id: str, at: datetime, memory: Json, system: Json) -> None:
        self.last_seen[node_id] = at
        self.memory[node_id] = memory
        self.system[node_id] = system
        self.applied()

    def node_gathered_disk(self, node_id: str, disk: Json) -> None:
        self.disk[node_id] = disk
        self.applied()

    def node_timed_out(self, node_id: str) -> None:
        """Dropped from everything but `nodeIdentities` and `nodeBackends`: there it is a ghost."""
        if node_id in self.nodes:
            self.nodes.remove(node_id)
        for by_node in (self.last_seen, self.memory, self.disk, self.system, self.network):
            by_node.pop(node_id, None)
        self.connections.pop(node_id, None)
        for sinks in self.connections.values():
            sinks.pop(node_id, None)
        self.shelf.forget(node_id)
        self.applied()

    def edge_created(self, source: str, sink: str, ip: str, port: int) -> None:
        address = {
            "address": f"/ip4/{ip}/tcp/{port}",
            "address_type": "ip4",
            "ip_address": ip,
            "port": port,
        }
        self.connections.setdefault(source, {})[sink] = [{"sinkMultiaddr": address}]
        self.applied()

    def edge_deleted(self, source: str, sink: str) -> None:
        self.connections.get(source, {}).pop(sink, None)
        self.applied()

    # instances, runners, tasks

    def instance_created(self, instance_id: str, document: Json) -> None:
        self.instances[instance_id] = document
        self.applied()

    def instance_deleted(self, instance_id: str) -> None:
        """Its text generations go with it unless cancelled; its runners stay for ever."""
        self.instances.pop(instance_id, None)
        for task_id in [i for i, task in self.tasks.items() if _is_open(task, instance_id)]:
            del self.tasks[task_id]
        self.applied()

    def runner_status_updated(self, runner_id: str, status: str, **details: object) -> None:
        self.runners[runner_id] = {status: details}
        self.applied()

    def task_created(self, kind: str, task: Json) -> None:
        self.tasks[task["taskId"]] = {kind: task}
        self.applied()

    def task_status_updated(self, task_id: str, status: str) -> None:
        for task in self.tasks.get(task_id, {}).values():
            task["taskStatus"] = status
        self.applied()

    def task_deleted(self, task_id: str) -> None:
        self.tasks.pop(task_id, None)
        self.applied()

    def task_status(self, task_id: str) -> str | None:
        return next((task["taskStatus"] for task in self.tasks.get(task_id, {}).values()), None)

    # what is shown

    def document(self) -> Json:
        """All 20 keys in exo's order; times as the parts of `/state/…` write them."""
        return {
            "instances": self.instances,
            "runners": self.runners,
            "downloads": self.shelf.documents(),
            **self._rest(self.last_seen_as("+00:00")),
        }

    def render(self) -> bytes:
        """The body of `GET /state`; the catalogue in it is not encoded anew."""
        head = {"instances": self.instances, "runners": self.runners}
        downloads = b',"downloads":' + self.shelf.render() + b","
        rest = self._rest(self.last_seen_as("Z"))
        return encode(head)[:-1] + downloads + encode(rest)[1:]

    def last_seen_as(self, zone: str) -> dict[str, str]:
        """The whole of /state writes UTC as Z, its parts as +00:00."""
        stamps = {i: at.astimezone(UTC).replace(tzinfo=None) for i, at in self.last_seen.items()}
        return {i: at.isoformat(timespec="microseconds") + zone for i, at in stamps.items()}

    def _rest(self, last_seen: dict[str, str]) -> Json:
        return {
            "tasks": self.tasks,
            "lastSeen": last_seen,
            "topology": {"nodes": self.nodes, "connections": self.connections},
            "lastEventAppliedIdx": self.index,
            "nodeIdentities": self.identities,
            "nodeMemory": self.memory,
            "nodeDisk": self.disk,
            "nodeSystem": self.system,
            "nodeNetwork": self.network,
            "nodeThunderbolt": {},
            "nodeThunderboltBridge": {},
            "nodeRdmaCtl": {},
            "nodeBackends": self.backends,
            "thunderboltBridgeCycles": [],
            "instanceLinks": {},
            "prefillServerPorts": {},
            "customModelCards": {},
        }


def _is_open(task: Json, instance_id: str) -> bool:
    generation = task.get("TextGeneration")
    if generation is None or generation["instanceId"] != instance_id:
        return False
    return bool(generation["taskStatus"] != "Cancelled")
