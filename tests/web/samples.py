"""Fleets to draw: one of every kind the room must show well."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import sin

from fleetweb.core.evidence import Evidence
from fleetweb.core.presence import (
    ClusterPresence,
    CognitiveLoad,
    CognitiveState,
    Condition,
    FleetPresence,
    NodePresence,
    ShardShare,
    Span,
    Work,
)
from fleetweb.core.roster import Role
from fleetweb.core.snapshot import ExoNode, RunnerPhase
from fleetweb.core.streams import Answered, Outcome, Stage, Stream

NOW = datetime(2026, 11, 23, 14, 32, 7, tzinfo=UTC)
QWEN = "mlx-community/Qwen3-235B-A22B-Instruct-2507-4bit"
LLAMA = "mlx-community/Llama-3.3-70B-Instruct-4bit"
PREVIEW = "plan a garden for a north-facing balcony, with herbs that…"
RHYMES = "what rhymes with orange"
GIB = 2**30

S = CognitiveState


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def load(
    state: CognitiveState, sentence: str, intensity: float = 0.08, **more: object
) -> CognitiveLoad:
    evidence = (
        Evidence("runner_phase", "ready"),
        Evidence("last_heard_s", 0.6),
        Evidence("gpu_usage", 0.07),
    )
    return replace(CognitiveLoad(intensity, state, evidence=evidence, sentence=sentence), **more)


def exo(name: str, memory_gb: int, used: float, gpu: float | None) -> ExoNode:
    return ExoNode(
        id=f"id-{name}",
        name=name,
        last_seen_at=ago(0.6),
        hardware="Mac Studio",
        chip="Apple M3 Ultra",
        memory_total_bytes=memory_gb * GIB,
        memory_available_bytes=int(memory_gb * GIB * (1 - used)),
        gpu_usage=gpu,
        temperature_c=None if gpu is None else 38 + 40 * gpu,
        power_w=None if gpu is None else 24 + 190 * gpu,
    )


def node(
    name: str = "king",
    doing: CognitiveLoad | None = None,
    *,
    memory_gb: int = 256,
    used: float = 0.31,
    gpu: float | None = 0.03,
    **more: object,
) -> NodePresence:
    present = NodePresence(
        name=name,
        role=Role.KING if name == "king" else Role.SOLDIER,
        load=doing or load(S.IDLE, "Breathing slow... (idle)"),
        since=ago(214),
        memory_gb=memory_gb,
        host=f"{name}.local",
        cluster="home",
        exo=exo(name, memory_gb, used, gpu),
        last_heard_at=ago(0.6),
        trail=(0.08,) * 60,
    )
    return replace(present, **more)


def share(
    model: str, start: int, end: int, total: int, with_: Iterable[str], **more: object
) -> ShardShare:
    base = ShardShare(
        instance_id=f"instance-{model}",
        model_id=model,
        phase=RunnerPhase.READY,
        start_layer=start,
        end_layer=end,
        n_layers=total,
        companions=tuple(with_),
        sharding="pipeline",
    )
    return replace(base, **more)


def spans(*rows: tuple[str, Sequence[tuple[CognitiveState, float]]]) -> tuple[Span, ...]:
    """For each machine, states with the seconds ago at which they began, oldest first."""
    found = []
    for name, changes in rows:
        ends = [*(began for _, began in changes[1:]), None]
        for (state, began), end in zip(changes, ends, strict=True):
            found.append(Span(name, state, ago(began), None if end is None else ago(end)))
    return tuple(sorted(found, key=lambda span: span.started_at))


def wave(low: float, high: float, shift: float = 0.0) -> tuple[float | None, ...]:
    middle, swing = (low + high) / 2, (high - low) / 2
    return tuple(
        middle + swing * 0.6 * sin(i / 4 + shift) + swing * 0.4 * sin(i / 1.7) for i in range(60)
    )


def fleet(
    nodes: Sequence[NodePresence],
    sentence: str,
    state: CognitiveState = S.IDLE,
    intensity: float = 0.06,
    **more: object,
) -> FleetPresence:
    well = (ClusterPresence("home", Condition.WELL, ago(9000), "http://king.local:52415", NOW),)
    base = FleetPresence(NOW, sentence, state, intensity, tuple(nodes), clusters=well)
    return replace(base, **more)


SOLDIERS = ("soldier1", "soldier2", "soldier3")
WAITING = "The fleet is present and waiting for you."


def idle() -> FleetPresence:
    ready = share(LLAMA, 0, 80, 80, ())
    king = node(
        "king",
        load(S.IDLE, "Present and waiting."),
        memory_gb=512,
        shares=(ready,),
        trail=wave(0.05, 0.12),
    )
    quiet_life = [(name, [(S.IDLE, 900)]) for name in SOLDIERS]
    return fleet(
        [king, *(node(name) for name in SOLDIERS)],
        WAITING,
        spans=spans(
            ("king", [(S.IDLE, 900), (S.PROCESSING, 420), (S.IDLE, 395), (S.IDLE, 100)]),
            *quiet_life,
        ),
    )


def waking() -> FleetPresence:
    names = ("king", "soldier1", "soldier2")
    ranges = {"king": (0, 48), "soldier1": (48, 71), "soldier2": (71, 94)}
    loaded = {"king": 34, "soldier1": 19, "soldier2": 23}

    def one(name: str) -> NodePresence:
        start, end = ranges[name]
        others = tuple(other for other in names if other != name)
        done, of = loaded[name], end - start
        return node(
            name,
            load(
                S.WAKING,
                f"Waking up Qwen3-235B: {done} of {of} layers.",
                0.5,
                estimated_completion_pct=100 * done / of,
                evidence=(
                    Evidence("runner_phase", "loading"),
                    Evidence("layers_loaded", done, of),
                    Evidence("last_heard_s", 0.4),
                ),
            ),
            memory_gb=512 if name == "king" else 256,
            used=0.4,
            since=ago(41),
            shares=(share(QWEN, start, end, 94, others, phase=RunnerPhase.LOADING),),
            trail=(*((0.05,) * 19), *(wave(0.4, 0.6)[19:])),
        )

    return fleet(
        [*(one(name) for name in names), node("soldier3")],
        "Waking up Qwen3-235B.",
        S.WAKING,
        0.4,
        spans=spans(
            *((name, [(S.IDLE, 900), (S.WAKING, 41)]) for name in names),
            ("soldier3", [(S.IDLE, 900)]),
        ),
    )


def busy() -> FleetPresence:
    names = ("king", "soldier1", "soldier2")
    ranges = {"king": (0, 48), "soldier1": (48, 71), "soldier2": (71, 94)}

    def one(name: str, intensity: float, shift: float) -> NodePresence:
        start, end = ranges[name]
        others = tuple(other for other in names if other != name)
        return node(
            name,
            load(
                S.PROCESSING,
                f"{'Working hard' if intensity > 0.8 else 'Processing'}: {PREVIEW}",
                intensity,
                current_task=PREVIEW,
                evidence=(
                    Evidence("requests_in_hand", 2),
                    Evidence("runner_phase", "running"),
                    Evidence("gap_ms", 1840, 6200, "stream"),
                    Evidence("last_heard_s", 0.4),
                    Evidence("gpu_usage", intensity),
                ),
            ),
            memory_gb=512 if name == "king" else 256,
            used=0.71,
            gpu=intensity,
            since=ago(97),
            shares=(share(QWEN, start, end, 94, others, phase=RunnerPhase.RUNNING, at_work=True),),
            trail=wave(intensity - 0.25, intensity + 0.1, shift),
        )

    thoughts = (
        Work("w1", "home", f"instance-{QWEN}", names, ago(97), "chat-1", QWEN, PREVIEW),
        Work("w2", "home", f"instance-{QWEN}", names, ago(12), None, QWEN, RHYMES),
    )
    return fleet(
        [
            one("king", 0.86, 0),
            one("soldier1", 0.62, 1),
            one("soldier2", 0.58, 2),
            node("soldier3"),
        ],
        "Deep thinking in progress...",
        S.PROCESSING,
        0.69,
        work=thoughts,
        spans=spans(
            *(
                (
                    name,
                    [
                        (S.IDLE, 900),
                        (S.WAKING, 510),
                        (S.IDLE, 402),
                        (S.READING, 130),
                        (S.PROCESSING, 97),
                    ],
                )
                for name in names
            ),
            ("soldier3", [(S.IDLE, 900)]),
        ),
    )


def gateway() -> FleetPresence:
    """What passes through the gateway: one thinks, one reads, two wait, and some are answered."""

    def stream(key: str, stage: Stage, seconds: float, **more: object) -> Stream:
        base = Stream(key, "laptop", stage, ago(seconds), ago(seconds / 2), QWEN, node="king")
        return replace(base, **more)

    def answer(key: str, outcome: Outcome, seconds: float, **more: object) -> Answered:
        base = Answered(
            key, "laptop", outcome, ago(seconds + 9), ago(seconds), LLAMA, "exo", "king"
        )
        return replace(base, **more)

    measured = {"latency_ms": 8740.0, "ttft_ms": 1210.0, "tokens_per_s": 21.4}
    return replace(
        busy(),
        streams=(
            stream("s1", Stage.THINKING, 97, command_id="chat-1", preview=PREVIEW, tokens=1312),
            stream("s2", Stage.READING, 44, preview="sum this up", done=8192, total=12288),
            stream("s3", Stage.ANSWERING, 20, circling=True, tokens_per_s=14.2, node=None),
            stream("s4", Stage.WAITING, 9, position=1, expected_wait_s=31, node=None),
            stream("s5", Stage.WAITING, 4, position=2, node=None, preview="next please"),
        ),
        answered=(
            answer("a1", Outcome.OK, 41, **measured),
            answer("a2", Outcome.OK, 130, cached=True, node=None),
            answer("a3", Outcome.OK, 300, provider="claude", node=None, latency_ms=64_000.0),
            answer("a4", Outcome.FAILED, 420),
        ),
    )


def doubting() -> FleetPresence:
    base = busy()
    sentence = f"Grappling with contradiction in: {PREVIEW}"
    doubt = [
        replace(
            one,
            load=replace(
                one.load, state=S.GRAPPLING, sentence=sentence, contradiction_detected=True
            ),
        )
        if one.load.state is S.PROCESSING
        else one
        for one in base.nodes
    ]
    return replace(base, nodes=tuple(doubt), state=S.GRAPPLING)


def learning() -> FleetPresence:
    pulling = node(
        "soldier2",
        load(
            S.LEARNING,
            "Learning DeepSeek-V3.1: 41 %, about 12 min left.",
            0.3,
            estimated_completion_pct=41.2,
            evidence=(
                Evidence("downloaded_bytes", 158 * GIB, 385 * GIB),
                Evidence("bytes_per_s", 318_000_000),
            ),
        ),
        since=ago(520),
    )
    return fleet(
        [node("king", memory_gb=512), node("soldier1"), pulling, node("soldier3")],
        WAITING,
        spans=spans(("soldier2", [(S.IDLE, 900), (S.LEARNING, 520)]), ("king", [(S.IDLE, 900)])),
    )


def one_dead() -> FleetPresence:
    gone = node(
        "soldier3",
        load(S.OFFLINE, "Offline. Last heard 14:19:41.", 0.0, evidence=()),
        exo=None,
        last_heard_at=ago(746),
        since=ago(716),
        trail=(),
    )
    return fleet(
        [node("king", memory_gb=512), node("soldier1"), node("soldier2"), gone],
        "Offline. Last heard 14:19:41.",
        S.OFFLINE,
        spans=spans(
            *((name, [(S.IDLE, 900)]) for name in ("king", "soldier1", "soldier2")),
            ("soldier3", [(S.IDLE, 900), (S.OFFLINE, 330)]),
        ),
    )


def held_up() -> FleetPresence:
    base = busy()
    held = "Held up: soldier2, which holds layers 72–94, has gone quiet."
    quiet = load(S.QUIET, "Gone quiet 12 s ago. exo still counts it in.", 0.0)

    def one(machine: NodePresence) -> NodePresence:
        if machine.name == "soldier2":
            return replace(machine, load=quiet, last_heard_at=ago(12), since=ago(7))
        if machine.name == "soldier3":
            return machine
        silent = replace(machine.load, state=S.SILENT, sentence=held, intensity=0.2)
        return replace(machine, load=silent, since=ago(7))

    return replace(
        base,
        nodes=tuple(one(machine) for machine in base.nodes),
        sentence=quiet.sentence,
        state=S.QUIET,
        intensity=0.2,
    )


def stumbled() -> FleetPresence:
    hurt = node(
        "soldier1",
        load(S.STUMBLED, "Stumbled loading Qwen3-235B: out of memory.", 0.0),
        shares=(share(QWEN, 48, 71, 94, ("king",), phase=RunnerPhase.FAILED),),
        since=ago(33),
    )
    king = node("king", memory_gb=512, shares=(share(QWEN, 0, 48, 94, ("soldier1",)),))
    return fleet(
        [king, hurt, node("soldier2"), node("soldier3")],
        "Stumbled loading Qwen3-235B: out of memory.",
        S.STUMBLED,
        spans=spans(("soldier1", [(S.IDLE, 900), (S.WAKING, 80), (S.STUMBLED, 33)])),
    )


def rehearsal() -> FleetPresence:
    return replace(busy(), rehearsal=True)


def unreachable() -> FleetPresence:
    gone = load(S.OFFLINE, "Offline. Last heard 14:31:02.", 0.0, evidence=())
    nodes = [
        node(name, gone, exo=None, last_heard_at=ago(65), since=ago(60), trail=())
        for name in ("king", *SOLDIERS)
    ]
    cluster = ClusterPresence(
        "home",
        Condition.UNREACHABLE,
        ago(60),
        "http://king.local:52415",
        ago(65),
        "exo does not answer at http://king.local:52415.",
        "Is exo running there, and is that machine on this network?",
    )
    return fleet(nodes, "The fleet is sleeping...", S.OFFLINE, 0.0, clusters=(cluster,))


def never_seen() -> FleetPresence:
    absent = load(S.OFFLINE, "Not here yet.", 0.0, evidence=())
    nodes = [
        node(name, absent, exo=None, last_heard_at=None, trail=()) for name in ("king", *SOLDIERS)
    ]
    return fleet(nodes, "The fleet is sleeping...", S.OFFLINE, 0.0)


def nobody() -> FleetPresence:
    return FleetPresence(NOW, "Looking for your machines...", S.OFFLINE, 0.0, ())


def alone() -> FleetPresence:
    mac = node(
        "Mac mini",
        load(
            S.READING,
            "Reading your prompt: 63 % of 12,288 tokens.",
            0.6,
            estimated_completion_pct=63,
        ),
        memory_gb=32,
        gpu=None,
        role=Role.WORKER,
        shares=(share("mlx-community/Llama-3.2-8B-Instruct-4bit", 0, 32, 32, (), at_work=True),),
        trail=wave(0.3, 0.7),
    )
    return fleet([mac], "Processing your request...", S.READING, 0.6)


def many(count: int = 16) -> FleetPresence:
    states = list(S)
    names = ["king", *(f"soldier{i}" for i in range(1, count))]
    team = ("king", "soldier1", "soldier4", "soldier7", "soldier11")

    def one(index: int, name: str) -> NodePresence:
        state = S.PROCESSING if name in team else states[index % 6]
        intensity = (index % 10) / 10
        others = tuple(other for other in team if other != name)
        shares = (share(QWEN, 10, 20, 94, others, at_work=True),) if name in team else ()
        return node(
            name,
            load(state, f"This is what a machine says when it is {state.value}.", intensity),
            memory_gb=512 if name == "king" else 256,
            gpu=intensity,
            shares=shares,
            trail=wave(0, intensity, index),
        )

    return fleet(
        [one(index, name) for index, name in enumerate(names)],
        "Deep thinking in progress...",
        S.PROCESSING,
        0.5,
        spans=spans(
            *(
                (name, [(states[i % 12], 900), (states[(i + 3) % 12], 200)])
                for i, name in enumerate(names)
            )
        ),
    )


HOSTILE = (
    '<script>alert("x")</script>',
    "Мак Студио 数 «студия»",
    "O'Brien's \"big\" machine & <b>friends</b>",
    "averyveryverylongnamewithoutanyspacewhatsoeverthatgoesonandonandonandon.local",
    "\u202eright-to-left",
    "hx-on:click={{ 7|add:7 }}",
)


def hostile() -> FleetPresence:
    words = '<img src=x onerror="alert(1)"> </hx-partial>{% debug %}'
    nodes = [
        node(
            name,
            load(S.PROCESSING, f"Processing: {words}", 0.6, current_task=words),
            shares=(share(f"{words}/{words}", 0, 4, 9, HOSTILE[:3], at_work=True),),
        )
        for name in HOSTILE
    ]
    thought = (Work("w1", "home", "i", HOSTILE, ago(3), None, words, words),)
    cluster = ClusterPresence(words, Condition.FROZEN, ago(20), words, ago(1), words, words)
    return fleet(
        nodes, f"Processing: {words}", S.PROCESSING, 0.6, work=thought, clusters=(cluster,)
    )


def doubled() -> FleetPresence:
    """Two soldiers share a model without the king, while the king thinks alone."""
    base = busy()
    names = ("soldier1", "soldier3")

    def one(machine: NodePresence) -> NodePresence:
        if machine.name == "king":
            return replace(machine, shares=(share(LLAMA, 0, 80, 80, (), at_work=True),))
        if machine.name == "soldier2":
            return node("soldier2")
        others = tuple(other for other in names if other != machine.name)
        return replace(machine, shares=(share(QWEN, 0, 47, 94, others, sharding="tensor"),))

    return replace(base, nodes=tuple(one(machine) for machine in base.nodes))


SAMPLES: dict[str, Callable[[], FleetPresence]] = {
    "idle": idle,
    "waking": waking,
    "busy": busy,
    "gateway": gateway,
    "doubting": doubting,
    "learning": learning,
    "one_dead": one_dead,
    "held_up": held_up,
    "stumbled": stumbled,
    "rehearsal": rehearsal,
    "unreachable": unreachable,
    "never_seen": never_seen,
    "nobody": nobody,
    "alone": alone,
    "many": many,
    "crowd": lambda: many(64),
    "hostile": hostile,
    "doubled": doubled,
}
