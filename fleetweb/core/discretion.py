"""Presence without what callers wrote: for others than the owner, and for what is kept."""

from dataclasses import replace

from .presence import CognitiveLoad, FleetPresence

SOMEBODYS = "a request"


def discreet_load(load: CognitiveLoad) -> CognitiveLoad:
    """`load` with its task's preview taken out, of its sentence too."""
    if load.current_task is None:
        return load
    sentence = _without(load.current_task, load.sentence)
    return replace(load, current_task=None, sentence=sentence)


def discreet(presence: FleetPresence) -> FleetPresence:
    """`presence` with every preview taken out."""
    sentence = presence.sentence
    for node in presence.nodes:
        if node.load.current_task:
            sentence = _without(node.load.current_task, sentence)
    return replace(
        presence,
        sentence=sentence,
        nodes=tuple(replace(n, load=discreet_load(n.load)) for n in presence.nodes),
        work=tuple(replace(work, preview=None) for work in presence.work),
        streams=tuple(replace(stream, preview=None) for stream in presence.streams),
    )


def _without(task: str, sentence: str) -> str:
    """Sentences end with the task; a task of one letter is not to be found all over them."""
    if sentence.endswith(task):
        return sentence.removesuffix(task) + SOMEBODYS
    return sentence.replace(task, SOMEBODYS)
