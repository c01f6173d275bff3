"""Presence without what callers wrote: for others than the owner, and for what is kept."""

from dataclasses import replace

from .presence import CognitiveLoad, FleetPresence

SOMEBODYS = "a request"


def discreet_load(load: CognitiveLoad) -> CognitiveLoad:
    """`load` with its task's preview taken out, of its sentence too."""
    if load.current_task is None:
        return load
    sentence = load.sentence.replace(load.current_task, SOMEBODYS)
    return replace(load, current_task=None, sentence=sentence)


def discreet(presence: FleetPresence) -> FleetPresence:
    """`presence` with every preview taken out."""
    sentence = presence.sentence
    for node in presence.nodes:
        if node.load.current_task:
            sentence = sentence.replace(node.load.current_task, SOMEBODYS)
    return replace(
        presence,
        sentence=sentence,
        nodes=tuple(replace(n, load=discreet_load(n.load)) for n in presence.nodes),
        work=tuple(replace(work, preview=None) for work in presence.work),
    )
