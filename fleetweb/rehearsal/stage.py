"""What every part of a rehearsal shares: one clock, one die, one crew, one state."""

import random
from dataclasses import dataclass, field

from .clock import Clock, Crew
from .state import ClusterState


@dataclass(slots=True)
class Stage:
    clock: Clock
    rng: random.Random
    crew: Crew = field(default_factory=Crew)
    state: ClusterState = field(default_factory=ClusterState)
