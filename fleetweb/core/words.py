"""The sentences. What a person reads is put together here and nowhere else."""

import re
from collections.abc import Sequence
from datetime import datetime

from .snapshot import PREVIEW_CHARS

FLEET_LOOKING = "Looking for your machines..."
FLEET_WATCHED_ELSEWHERE = (
    "Another process watches the fleet. Look at its page: what it sees is not seen from here, as"
    " long as the two share no Redis."
)
FLEET_LOST = "exo has stopped answering."
FLEET_SLEEPING = "The fleet is sleeping..."
FLEET_WAITING = "The fleet is present and waiting for you."
FLEET_PROCESSING = "Processing your request..."
FLEET_DEEP = "Deep thinking in progress..."
HELD_UP = "Held up:"
NOT_BROKEN = "It's not broken. It's thinking."

IDLE_EMPTY = "Breathing slow... (idle)"
IDLE_READY = "Present and waiting."

_READ_CHARS = 4_000  # of a prompt, to find the sixty that are kept

# What packaging adds to a model's name: precision, tuning, file format, active parameters.
_PACKAGING = re.compile(
    r"(\d+bit|bf16|fp\d+|mxfp\d+|nvfp\d+|q\d\w*|dwq|int\d+|a\d+b|mlx|gguf|hf|instruct|it|chat)",
    re.IGNORECASE,
)


def short_model(model_id: str | None) -> str:
    """A model's name as people say it: `org/Llama-3.3-70B-Instruct-4bit` is Llama-3.3-70B."""
    if not model_id:
        return "a model"
    parts = model_id.rsplit("/", 1)[-1].split("-")
    kept = [part for part in parts[1:] if not _PACKAGING.fullmatch(part)]
    return "-".join([parts[0], *kept])


def preview(text: str) -> str | None:
    """At most 60 characters of `text` on one line, with an ellipsis where there was more."""
    line = " ".join(text[:_READ_CHARS].split())
    if len(line) <= PREVIEW_CHARS and len(text) <= _READ_CHARS:
        return line or None
    return f"{line[: PREVIEW_CHARS - 1].rstrip()}…"


def duration(seconds: float) -> str:
    """`12 s`, `3 min`, `2 h 5 min`, `4 days`: as exact as a person needs it."""
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"


def clock(at: datetime, now: datetime) -> str:
    """The time of `at` on the wall clock of `now`'s zone, with its date when that is not today."""
    local = at.astimezone(now.tzinfo)
    if local.date() == now.date():
        return f"{local:%H:%M:%S}"
    return f"{local:%Y-%m-%d %H:%M:%S}"


def layers(start_layer: int | None, end_layer: int | None) -> str | None:
    """The layers from `start_layer` to `end_layer` (from 0, exclusive) as people count: from 1."""
    if start_layer is None or end_layer is None or end_layer <= start_layer:
        return None
    if end_layer == start_layer + 1:
        return f"layer {end_layer}"
    return f"layers {start_layer + 1}–{end_layer}"


def listing(names: Sequence[str]) -> str:
    """`king`, `king and soldier1`, `king, soldier1 and soldier2`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def offline(last_heard_at: datetime | None, now: datetime) -> str:
    if last_heard_at is None:
        return "Not here yet."
    return f"Offline. Last heard {clock(last_heard_at, now)}."


def quiet(silent_s: float) -> str:
    return f"Gone quiet {duration(silent_s)} ago. exo still counts it in."


def quiet_frozen(silent_s: float) -> str:
    return f"Gone quiet {duration(silent_s)} ago. exo's view of the fleet stands still."


def quiet_election() -> str:
    return "Gone quiet. exo is starting over with a new master and does not count it in yet."


def stumbled(model: str, while_doing: str | None, reason: str | None) -> str:
    """`while_doing` is "loading" or "running", None where nobody saw it happen."""
    return f"Stumbled {while_doing or 'over'} {model}: {reason or 'exo did not say why'}."


def learning(model: str, percent: float | None, left_s: float | None) -> str:
    """A percent counts once it is whole: 100 % is said of nothing that still goes on."""
    if percent is None:
        return f"Learning {model}."
    if left_s is None:
        return f"Learning {model}: {int(percent)} %."
    return f"Learning {model}: {int(percent)} %, about {duration(left_s)} left."


def waking(model: str, step: str) -> str:
    return f"Waking up {model}: {step}."


def waking_layers(loaded: int, total: int) -> str:
    return f"{loaded} of {total} layers"


def reading(done: int | None, total: int | None) -> str:
    """`done` of `total` tokens of a prompt."""
    if done is None or not total:
        return "Reading your prompt."
    return f"Reading your prompt: {100 * done // total} % of {total:,} tokens."


def paused(total: int | None) -> str:
    """`total` tokens are in the prompt that everybody waits for."""
    prompt = f"{total:,}-token prompt" if total else "prompt"
    return f"Waiting while another {prompt} is read."


def grappling(task: str | None) -> str:
    return f"Grappling with contradiction in: {task or 'a request'}"


def resolving(task: str | None) -> str:
    return f"Deep recursive thinking: {task or 'a request'}"


def circling(cycle_words: object, repeats: object) -> str:
    if not cycle_words or not repeats:
        return "Going in circles."
    words = "the same word" if cycle_words == 1 else f"the same {cycle_words} words"
    return f"Going in circles: {words}, {repeats} times."


def silent(gap_s: float | None, longest_s: float | None) -> str:
    return f"{_silence(gap_s, longest_s)} It may be stuck."


def silent_at_work(
    gap_s: float | None, longest_s: float | None, name: str | None, gpu_usage: float
) -> str:
    """`name` is the machine that still works on it, None for the one that speaks."""
    said = _silence(gap_s, longest_s)
    return f"{said} {name or 'It'} still works hard (GPU {100 * gpu_usage:.0f} %)."


def _silence(gap_s: float | None, longest_s: float | None) -> str:
    if gap_s is None:
        return "Silent."
    if longest_s is None:
        return f"Silent for {duration(gap_s)}."
    return f"Silent for {duration(gap_s)}; its longest silence here was {duration(longest_s)}."


def processing(task: str | None, others: int, *, hard: bool) -> str:
    opening = "Working hard" if hard else "Processing"
    more = f", and {others} more" if others else ""
    if task is None:
        return f"{opening}: a request{more}."
    return f"{opening}: {task}{more}"


def fleet_unwatched(since: datetime, now: datetime) -> str:
    return f"Nobody has watched the fleet since {clock(since, now)}."


def held_up(name: str, part: str | None, trouble: str) -> str:
    """`trouble` is what happened to the machine that everybody waits for: "has gone quiet"."""
    holding = f", which holds {part}," if part else ""
    return f"{HELD_UP} {name}{holding} {trouble}."


def named(name: str, sentence: str) -> str:
    """One machine's sentence where several could have said it; one that has a name keeps it."""
    return sentence if sentence.startswith(HELD_UP) else f"{name}: {sentence}"


def cluster_trouble(problem: str | None, door: str | None, since: datetime, now: datetime) -> str:
    """What is wrong with a whole cluster that can't be seen."""
    what = problem or f"exo at {door} does not answer"
    if what.endswith("?"):
        return f"{what} Since {clock(since, now)}."
    return f"{what.rstrip('.')}, since {clock(since, now)}."


def cluster_elected(lost: Sequence[str]) -> str:
    """`lost` are the names of the models that were loaded until the election."""
    if not lost:
        return "exo has just started over with a new master."
    return (
        "exo has just started over with a new master: "
        f"everything that was loaded is gone ({listing(lost)})."
    )


CLUSTER_FORMING = "exo is starting: its machines have not found each other yet."
CLUSTER_FROZEN = "exo's view of the fleet stands still: its master hangs."

ADVICE_FORMING = "This takes about ten seconds. Nothing needs doing."
ADVICE_FROZEN = (
    "exo elects a new master by itself after about 15 s, and then every model has to be loaded "
    "again. If it does not, restart exo on the machine that hangs."
)
ADVICE_ELECTED = "Its machines come back within seconds. Nothing needs doing."
ADVICE_LOST = "Its machines come back within seconds. Load the models you need again."
ADVICE_UNREACHABLE = "Is exo running there, and is the address right? Trying again by itself."
ADVICE_INVALID = "Is that really exo's address? Trying again by itself."
