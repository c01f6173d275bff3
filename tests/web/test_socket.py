"""The control room's socket: the whole room, then what changes, and a beat every second."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest
from asgiref.sync import sync_to_async
from channels.layers import InMemoryChannelLayer, channel_layers
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.test import AsyncClient

from fleetweb.asgi import application
from fleetweb.core.presence import CognitiveState, FleetPresence
from fleetweb.fleet import live
from fleetweb.web import broadcast as broadcasting
from fleetweb.web import consumers, gallery
from fleetweb.web.audience import Audience
from fleetweb.web.broadcast import Broadcast
from fleetweb.web.consumers import PresenceConsumer
from fleetweb.web.gallery import gallery_of
from tests.rehearsal.waiting import until
from tests.sockets import Socket

from . import samples

pytestmark = pytest.mark.django_db(transaction=True)  # Channels looks after connections

OWNER = User(username="owner", is_superuser=True)
GUEST = User(username="ada")
PREVIEW = "plan a garden for my aunt Zuleika"


@pytest.fixture
def memory(monkeypatch) -> InMemoryChannelLayer:
    """The layer of a single process, which can be looked into."""
    layer = InMemoryChannelLayer()
    monkeypatch.setitem(channel_layers.backends, "default", layer)
    return layer


@pytest.fixture
def desk(monkeypatch) -> Broadcast:
    """The one who pushes, with nothing pushed yet."""
    desk = Broadcast()
    monkeypatch.setattr(consumers, "broadcast", desk)
    return desk


class Browser:
    def __init__(self, socket: Socket) -> None:
        self.socket = socket

    async def hears(self) -> str:
        """The next message that is not a beat."""
        while (message := await self.socket.receive_from(10)).startswith("{"):
            pass
        return message

    async def beat(self) -> dict:
        while not (message := await self.socket.receive_from(10)).startswith("{"):
            pass
        return json.loads(message)


@asynccontextmanager
async def browser(user: User = OWNER) -> AsyncIterator[Browser]:
    socket = Socket(PresenceConsumer.as_asgi(), "/ws/presence/")
    socket.scope["user"] = user
    connected, _ = await socket.connect()
    assert connected
    try:
        yield Browser(socket)
    finally:
        await socket.disconnect()


def at(sequence: int, presence: FleetPresence) -> FleetPresence:
    return replace(presence, sequence=sequence)


async def publish(desk: Broadcast, presence: FleetPresence, watchers: int = 1) -> None:
    await live.publish(presence)
    await desk.presence_published(presence, watchers)


async def test_a_stranger_is_refused():
    socket = Socket(application, "/ws/presence/", [(b"host", b"localhost")])
    socket.scope["user"] = AnonymousUser()
    connected, code = await socket.connect()
    assert (connected, code) == (False, 4401)


async def test_whoever_signs_out_elsewhere_is_shown_no_more(monkeypatch):
    monkeypatch.setattr(consumers, "BEAT_S", 0.01)
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username="ada"))
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    headers = {"host": "localhost", "origin": "http://localhost", "cookie": cookie}
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    socket = Socket(application, "/ws/presence/", sent)
    assert await socket.connect() == (True, None)
    await client.alogout()
    while (message := await socket.receive_output(10))["type"] != "websocket.close":
        assert message["type"] == "websocket.send"
    assert message["code"] == 4401
    await socket.disconnect()


async def test_the_whole_room_comes_first(desk):
    await publish(desk, at(1, samples.idle()))
    async with browser() as opened:
        first = await opened.hears()
    assert first.startswith('<hx-partial hx-target="#room"')
    assert 'id="node-king"' in first


async def test_before_anybody_has_looked_there_are_beats_alone():
    async with browser() as opened:
        beat = await opened.beat()
    assert beat["watched_at"] is None


async def test_afterwards_only_what_changed(desk):
    before = samples.idle()
    await publish(desk, at(1, before))
    async with browser() as opened:
        await opened.hears()
        king = before.nodes[0]
        working = replace(king.load, state=CognitiveState.WAKING, sentence="Waking up a model.")
        after = replace(before, nodes=(replace(king, load=working), *before.nodes[1:]))
        await publish(desk, at(2, after))
        pushed = await opened.hears()
    assert 'hx-target="#node-king"' in pushed
    assert "Waking up a model." in pushed
    assert 'hx-target="#node-soldier1"' not in pushed
    assert 'hx-target="#room"' not in pushed


async def test_where_nothing_changed_nothing_is_sent_but_the_beat_knows(desk):
    before = samples.idle()
    await publish(desk, at(1, before))
    async with browser() as opened:
        await opened.hears()
        later = replace(before, at=before.at)
        await publish(desk, at(2, later))
        changed = replace(before, sentence="The fleet is sleeping...")
        await publish(desk, at(3, changed))
        assert "The fleet is sleeping..." in await opened.hears()


async def test_whoever_missed_a_number_gets_the_whole_room(desk):
    await publish(desk, at(1, samples.idle()))
    async with browser() as opened:
        await opened.hears()
        missed = replace(samples.idle(), sentence="Something nobody heard.")
        desk._sequence = 2
        await publish(desk, at(3, missed))
        assert 'hx-target="#room"' in await opened.hears()


async def test_what_comes_late_is_not_shown_over_what_is_newer(desk):
    await publish(desk, at(5, samples.idle()))
    async with browser() as opened:
        await opened.hears()
        await desk._push(gallery_of(owner=True), at(4, samples.idle()), "<p>old</p>")
        await publish(desk, at(6, replace(samples.idle(), sentence="Newer.")))
        assert "old" not in await opened.hears()


async def test_beats_every_second_and_says_how_old_what_it_shows_is(desk, monkeypatch):
    monkeypatch.setattr(consumers, "BEAT_S", 0.01)
    presence = at(1, samples.idle())
    await publish(desk, presence)
    async with browser() as opened:
        beats = [await opened.beat() for _ in range(3)]
    assert [beat["beat"] for beat in beats] == [1, 2, 3]
    assert {beat["watched_at"] for beat in beats} == {presence.at.isoformat()}


async def test_twenty_browsers_get_the_same_push_rendered_once(desk, memory, monkeypatch):
    rendered: list[bool] = []
    render = broadcasting.render

    def counted(presence: FleetPresence, *, owner: bool):
        rendered.append(owner)
        return render(presence, owner=owner)

    monkeypatch.setattr(broadcasting, "render", counted)
    await publish(desk, at(1, samples.idle()))
    rendered.clear()
    async with AsyncExitStack() as stack:
        browsers = [await stack.enter_async_context(browser()) for _ in range(20)]
        assert len({await opened.hears() for opened in browsers}) == 1
        assert rendered == [True]  # one room for all that came
        await publish(desk, at(2, replace(samples.idle(), sentence="The fleet is sleeping...")))
        assert len({await opened.hears() for opened in browsers}) == 1
    assert rendered == [True, True]  # and one push; none for guests, of whom nobody is here


async def test_while_nobody_watches_nothing_is_rendered(desk, monkeypatch):
    def never(*_: object, **__: object) -> None:
        raise AssertionError("rendered for nobody")

    monkeypatch.setattr(broadcasting, "render", never)
    await publish(desk, at(1, samples.idle()), watchers=0)


async def test_a_guest_reads_no_prompts_and_the_owner_does(desk):
    busy = samples.busy()
    king = busy.nodes[0]
    load = replace(king.load, current_task=PREVIEW, sentence=f"Processing: {PREVIEW}")
    seen = replace(
        busy,
        sentence=f"king: Processing: {PREVIEW}",
        nodes=(replace(king, load=load), *busy.nodes[1:]),
        work=tuple(replace(work, preview=PREVIEW) for work in busy.work),
    )
    await publish(desk, at(1, samples.idle()))
    async with browser(OWNER) as owner, browser(GUEST) as guest:
        await owner.hears()
        await guest.hears()
        await publish(desk, at(2, seen))
        assert "Zuleika" in await owner.hears()
        assert "Zuleika" not in await guest.hears()
    async with browser(GUEST) as guest:
        assert "Zuleika" not in await guest.hears()


async def test_a_guest_who_comes_is_pushed_what_differs_from_what_they_were_shown(desk):
    """Nothing was pushed to guests before: there were none."""
    before, between = samples.idle(), replace(samples.idle(), sentence="In between.")
    async with browser(GUEST):
        await publish(desk, at(1, before))
    await publish(desk, at(2, between))
    async with browser(GUEST) as guest:
        assert "In between." in await guest.hears()
        await publish(desk, at(3, before))
        assert before.sentence in await guest.hears()


async def test_a_server_that_stops_tells_its_browsers_to_come_back(desk):
    await publish(desk, at(1, samples.idle()))
    socket = Socket(PresenceConsumer.as_asgi(), "/ws/presence/")
    socket.scope["user"] = OWNER
    await socket.connect()
    await PresenceConsumer.close_all()
    while (message := await socket.receive_output(10))["type"] != "websocket.close":
        pass
    assert message["code"] == 4012
    await socket.disconnect()


async def test_nothing_is_left_of_a_browser_that_went(desk, memory):
    async with browser():
        assert len(PresenceConsumer.here) == 1
    assert not PresenceConsumer.here
    assert not memory.groups
    beats = [task for task in asyncio.all_tasks() if "_beat" in repr(task.get_coro())]
    assert beats == []


async def test_a_browser_that_reads_slowly_leaves_a_bounded_queue_and_then_the_whole_room(
    desk, memory
):
    await publish(desk, at(1, samples.idle()))
    async with browser() as opened:
        await opened.hears()
        (socket,) = PresenceConsumer.here
        for number in range(2, consumers.UNREAD * 3):
            socket.told(desk_push(number, "missed"))
        assert socket.pushes.qsize() <= consumers.UNREAD
        await publish(desk, at(consumers.UNREAD * 3, samples.idle()))
        while "missed" in (heard := await opened.hears()):
            pass
        assert 'hx-target="#room"' in heard


def desk_push(sequence: int, html: str) -> dict:
    return {"after": sequence - 1, "sequence": sequence, "at": "", "html": html}


async def test_one_subscription_stands_for_all_sockets_of_a_process(desk, memory):
    await publish(desk, at(1, samples.idle()))
    async with browser(), browser(), browser(GUEST):
        assert {group: len(members) for group, members in memory.groups.items()} == {
            gallery.OWNERS: 1,
            gallery.GUESTS: 1,
        }


async def test_pushes_wait_for_none_of_djangos_pages(desk):
    """Its pages share one thread, and one of them may be slow."""
    await publish(desk, at(1, samples.idle()))
    async with browser() as opened:
        await opened.hears()
        done = threading.Event()
        slow_page = asyncio.create_task(sync_to_async(done.wait)(30))
        try:
            await publish(desk, at(2, replace(samples.idle(), sentence="At once.")))
            assert "At once." in await opened.hears()
            assert not slow_page.done()
        finally:
            done.set()
            await slow_page


async def test_a_layer_that_breaks_down_is_heard_again(desk, memory, monkeypatch):
    monkeypatch.setattr(gallery, "HEARS_AGAIN_AFTER_S", 0.01)
    await publish(desk, at(1, samples.idle()))
    async with browser() as opened:
        await opened.hears()
        receive = memory.receive

        async def broken(channel: str) -> dict:
            monkeypatch.setattr(memory, "receive", receive)
            raise ConnectionError("The layer is gone.")

        monkeypatch.setattr(memory, "receive", broken)
        for number in (2, 3):
            await publish(desk, at(number, samples.idle()))
        await until(lambda: memory.receive is receive and memory.groups)
        await publish(desk, at(4, replace(samples.idle(), sentence="Back.")))
        while "Back." not in await opened.hears():
            pass


async def test_a_socket_that_fails_tells_its_page_to_come_back(desk, monkeypatch):
    await publish(desk, at(1, samples.idle()))
    socket = Socket(PresenceConsumer.as_asgi(), "/ws/presence/")
    socket.scope["user"] = OWNER
    await socket.connect()

    async def gone() -> None:
        raise ConnectionError("What is shown can't be read.")

    monkeypatch.setattr(live, "current", gone)
    desk._sequence = 8
    await desk._push(gallery_of(owner=True), at(9, samples.idle()), "")
    while (message := await socket.receive_output(10))["type"] != "websocket.close":
        pass
    assert message["code"] == 4012
    await socket.disconnect()
    assert not PresenceConsumer.here


async def test_an_audience_says_how_many_it_is_and_says_it_again(monkeypatch):
    told: list[int] = []

    async def heard(message: dict) -> None:
        told.append(message["count"])

    monkeypatch.setattr("fleetweb.fleet.worker.ask", heard)
    audience = Audience()
    one, two = object(), object()
    await audience.join(one)
    await audience.join(two)
    await audience.confirm()  # it was said just now
    await audience.leave(one)
    audience._reported_at = None
    await audience.confirm()
    assert told == [1, 2, 1, 1]
