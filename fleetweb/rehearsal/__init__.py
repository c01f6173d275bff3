"""A pretend exo fleet that speaks exo's API over real sockets. It exists to be replaced."""

from .catalogue import CATALOGUE, FRONTIER, LARGE, LOADING, MEDIUM, SMALL
from .faults import Fault, FaultKind, load_faults
from .node import Node
from .rehearsal import Rehearsal, TaskSeen

__all__ = [
    "CATALOGUE",
    "FRONTIER",
    "LARGE",
    "LOADING",
    "MEDIUM",
    "SMALL",
    "Fault",
    "FaultKind",
    "Node",
    "Rehearsal",
    "TaskSeen",
    "load_faults",
]
