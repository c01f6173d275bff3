"""What the page says, held against what exo was recorded to say at that very moment."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from fleetweb.rehearsal import Fault, FaultKind, Rehearsal
from tests.recordings import load, needs_recordings
from tests.rehearsal.waiting import until
from tests.upstream.faulty import reply, serving

from .conftest import Arrive, OpenRoom
from .control_room import ControlRoom
from .replaying import LEAD_S, Replay, Row, free_port, paced, replaying
from .visitor import Sight

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

# A look a second, a quarter for what follows it, and room for a machine with more to do.
LATE_S = 3.0
EARLY_S = 0.3  # by which the replay's own beginning is not known
QUIET_WITHIN_S = 7.0
KILLED = "kill-worker-in-instance-state-node4.json"

Watch = Callable[[list[Row]], Awaitable[tuple[Replay, Sight]]]


@pytest_asyncio.fixture(loop_scope="module")
async def watch(arrive: Arrive, open_room: OpenRoom, tmp_path: Path) -> AsyncIterator[Watch]:
    """Opens the page, then lets the recording begin."""
    async with AsyncExitStack() as stack:

        async def begin(rows: list[Row]) -> tuple[Replay, Sight]:
            port = free_port()
            room = await open_room("--exo", f"http://127.0.0.1:{port}")
            sight = await (await arrive()).open(room.address)
            replay = await stack.enter_async_context(replaying(rows, port, tmp_path))
            await sight.shows("studio-north", "idle", within_s=LEAD_S)
            return replay, sight

        yield begin


async def follows(replay: Replay, sight: Sight, machine: str) -> None:
    """Wait until the page has told a machine's whole story, and hold it against the recording."""
    told = replay.turns(machine)

    async def turns() -> list[tuple[float, str]]:
        kept: list[tuple[float, str]] = []
        for seen in await sight.seen(machine):
            if not kept or kept[-1][1] != seen.state:
                kept.append((seen.at, seen.state))
        return kept

    async def complete() -> bool:
        return len(await turns()) >= len(told)

    await until(complete, 60)
    shown = await turns()
    assert [state for _, state in shown] == [state for _, state in told]
    for (at, state), (shown_at, _) in list(zip(told, shown, strict=True))[1:]:
        assert -EARLY_S <= shown_at - at <= LATE_S, f"{state} {shown_at - at:.1f} s after exo"


@needs_recordings
class TestRecorded:
    async def test_a_model_wakes_up_layer_by_layer(self, watch: Watch) -> None:
        paces = ((0.4, 2.0, 4.0), (2.0, 2.6, 6.0), (2.6, 14.2, 5.0))
        replay, sight = await watch(paced("slow-placing-state-every-100ms.json", *paces))
        await follows(replay, sight, "studio-north")
        said = [s.sentence for s in await sight.seen("studio-north") if s.state == "waking"]
        counted = [re.search(r"(\d+) of 12 layers", sentence) for sentence in said]
        layers = [int(found[1]) for found in counted if found]
        assert layers == sorted(layers)
        assert {*layers} <= {0, 2, 4, 7, 9, 11}
        assert len(layers) > 2
        assert said[-1] == "Waking up Slow-Llama: warming up."
        await sight.says("studio-north", "Present and waiting.")

    async def test_work_shows_for_as_long_as_it_lasts(self, watch: Watch) -> None:
        replay, sight = await watch(paced("gen-state-every-200ms.json"))
        await follows(replay, sight, "studio-north")
        said = [s.sentence for s in await sight.seen("studio-north") if s.state == "processing"]
        assert all(re.match("(Processing|Working hard): ", sentence) for sentence in said)
        await expect(sight.page.locator("#work .nothing")).to_be_visible()

    async def test_work_ends_with_its_instance(self, watch: Watch) -> None:
        rows = paced("delete-instance-state-every-100ms.json", (0.1, 1.6, 6.0))
        replay, sight = await watch(rows)
        await follows(replay, sight, "studio-north")
        await sight.says("studio-north", "Breathing slow... (idle)")
        await expect(sight.page.locator(".holdings")).to_have_count(0)

    async def test_a_killed_machine_goes_quiet_holds_up_the_other_and_goes(
        self, watch: Watch
    ) -> None:
        replay, sight = await watch(paced(KILLED, (15.0, 40.0, 5.0)))
        killed_at = replay.wall(load(KILLED)["kill_at"])
        await sight.shows("studio-north", "processing")
        await sight.shows("studio-south", "processing")
        await sight.shows("studio-north", "quiet", within_s=20)
        await sight.shows("studio-south", "silent")
        await sight.says("studio-south", "Held up: studio-north, which holds layers")
        await expect(sight.page.locator("#fleet .sentence")).to_contain_text("has gone quiet")
        await sight.shows("studio-north", "offline", within_s=40)
        await sight.says("studio-north", re.compile(r"^Offline\. Last heard \d\d:\d\d:\d\d\."))
        for machine in ("studio-north", "studio-south"):
            troubled = [s for s in await sight.seen(machine) if s.state in ("quiet", "silent")]
            assert 0 < troubled[0].at - killed_at <= QUIET_WITHIN_S
        for bystander in ("macbook-anna", "mini-lab"):
            assert {s.state for s in await sight.seen(bystander)} == {"idle"}


class TestWrongAnswers:
    @pytest.mark.parametrize(
        ("kind", "condition"),
        [
            (FaultKind.STATE_HTML, "invalid"),
            (FaultKind.STATE_MALFORMED, "invalid"),
            (FaultKind.STATE_ERROR, "unreachable"),
            (FaultKind.SLOW_ANSWERS, "unreachable"),
        ],
    )
    async def test_says_what_is_wrong_and_recovers(
        self,
        fleet: Rehearsal,
        room: ControlRoom,
        arrive: Arrive,
        kind: FaultKind,
        condition: str,
    ) -> None:
        sight = await (await arrive()).open(room.address)
        await sight.shows("king", "idle")
        fleet.inject(Fault(kind))
        notice = sight.page.locator(f"#notices [data-condition={condition}]")
        await expect(notice.locator(".sentence")).to_contain_text(
            re.compile(r"[,?] since \d\d:\d\d:\d\d\.", re.IGNORECASE), timeout=30_000
        )
        await expect(notice.locator(".sentence")).not_to_contain_text("Traceback")
        await sight.shows("king", "offline")
        fleet.heal()
        await sight.shows("king", "idle", within_s=45)
        await expect(sight.page.locator("#notices .notice")).to_have_count(0)

    async def test_says_that_an_address_is_not_exos(
        self, open_room: OpenRoom, arrive: Arrive
    ) -> None:
        async with serving(reply(b"<!doctype html><title>A printer</title>")) as url:
            room = await open_room("--exo", url)
            sight = await (await arrive()).open(room.address)
            notice = sight.page.locator("#notices [data-condition=invalid]")
            await expect(notice).to_contain_text("Is that really exo's address?", timeout=15_000)
            await expect(sight.page.locator("#fleet .sentence")).to_contain_text("sleeping")
            await until(lambda: sight.beats)
