"""Who gets in by websocket, and by plain ASGI beside Django."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client, override_settings

from fleetweb.web.access.owner import OWNER
from fleetweb.web.access.sockets import STRANGER, SocketAccess, user_of_scope
from tests.sockets import Socket

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = settings.FLEETWEB_TOKEN
HOST = "localhost:8000"
OWN_PAGE = f"http://{HOST}"
BEARER = f"Bearer {TOKEN}"
Headers = dict[str, str]


@pytest.fixture
def cookie() -> str:
    client = Client()
    client.force_login(User.objects.create_user("ada"))
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


async def greet(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept", "subprotocol": scope["user"].username})


async def answer(**headers: str) -> tuple[bool, object]:
    """What the handshake came to: (True, the user's name) or (False, the close code)."""
    sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    socket = Socket(SocketAccess(greet), "/ws/presence/?q=%ff", headers=sent)
    return await socket.connect()


async def asker(method: str, **headers: str) -> str | None:
    """The name of who asks by HTTP, None for strangers."""
    sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    user = await user_of_scope(
        {"type": "http", "method": method, "path": "/v1/models", "headers": sent}
    )
    return user and user.username


REFUSED = (False, STRANGER)


# --- sockets --------------------------------------------------------------------------------------


async def test_a_stranger_is_refused_before_the_handshake():
    assert await answer(Host=HOST, Origin=OWN_PAGE) == REFUSED


async def test_an_address_that_is_locked_out_is_refused_like_a_stranger():
    for n in range(settings.AXES_FAILURE_LIMIT + 1):
        assert await answer(Host=HOST, Authorization=f"Bearer guess-{n}") == REFUSED
    assert await answer(Host=HOST, Authorization=BEARER) == REFUSED


async def test_a_page_of_ours_with_a_session_gets_in(cookie):
    assert await answer(Host=HOST, Origin=OWN_PAGE, Cookie=cookie) == (True, "ada")
    assert await answer(Host=HOST, Origin=f"https://{HOST}", Cookie=cookie) == (True, "ada")


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://evil.example:8000",
        "http://localhost:9999",
        "http://localhost",
        "http://127.0.0.1:8000",
        "http://localhost:8000.evil.example",
        "http://evil.example@localhost:8000",
        "file://localhost:8000",
        "http://[",
        "null",
        "",
    ],
)
async def test_a_page_from_elsewhere_is_refused_in_spite_of_its_cookie(cookie, origin):
    assert await answer(Host=HOST, Origin=origin, Cookie=cookie) == REFUSED


async def test_a_cookie_without_an_origin_is_refused(cookie):
    assert await answer(Host=HOST, Cookie=cookie) == REFUSED


async def test_a_name_that_is_not_ours_is_refused_though_it_leads_here(cookie):
    rebound = {"Host": "evil.example", "Origin": "http://evil.example"}
    assert await answer(**rebound, Cookie=cookie) == REFUSED
    assert await answer(**rebound, Authorization=BEARER) == REFUSED


async def test_any_name_may_be_allowed_but_pages_still_come_from_it(cookie):
    with override_settings(ALLOWED_HOSTS=["*"]):
        assert await answer(Host="den.lan", Origin="http://den.lan", Cookie=cookie) == (True, "ada")
        assert await answer(Host="den.lan", Origin=OWN_PAGE, Cookie=cookie) == REFUSED


async def test_a_missing_host_is_refused():
    assert await answer(Authorization=BEARER) == REFUSED


async def test_a_program_with_the_token_needs_no_origin():
    assert await answer(Host=HOST, Authorization=BEARER) == (True, OWNER)


async def test_a_wrong_bearer_is_refused_beside_a_good_session(cookie):
    wrong = {"Authorization": "Bearer wrong", "Cookie": cookie}
    assert await answer(Host=HOST, Origin=OWN_PAGE, **wrong) == REFUSED


async def test_a_token_in_the_address_of_a_socket_counts_for_nothing():
    socket = Socket(
        SocketAccess(greet), f"/ws/presence/?token={TOKEN}", headers=[(b"host", HOST.encode())]
    )
    assert await socket.connect() == REFUSED


async def test_a_session_of_an_old_token_is_refused(cookie):
    with override_settings(SECRET_KEY="as made from another token"):
        assert await answer(Host=HOST, Origin=OWN_PAGE, Cookie=cookie) == REFUSED


async def test_a_user_who_was_switched_off_is_refused(cookie):
    await User.objects.aupdate(is_active=False)
    assert await answer(Host=HOST, Origin=OWN_PAGE, Cookie=cookie) == REFUSED


async def test_guessing_by_socket_locks_an_address_out():
    for n in range(settings.AXES_FAILURE_LIMIT):
        await answer(Host=HOST, Authorization=f"Bearer guess-{n}")
    assert await answer(Host=HOST, Authorization=BEARER) == REFUSED


# --- ASGI beside Django ---------------------------------------------------------------------------


async def test_a_program_is_known_by_its_bearer():
    assert await asker("POST", Host=HOST, Authorization=BEARER) == OWNER


async def test_a_stranger_is_nobody():
    assert await asker("GET", Host=HOST) is None


async def test_a_session_reads_without_an_origin_but_changes_nothing(cookie):
    assert await asker("GET", Host=HOST, Cookie=cookie) == "ada"
    assert await asker("POST", Host=HOST, Cookie=cookie) is None


async def test_a_session_changes_things_from_a_page_of_ours_alone(cookie):
    assert await asker("POST", Host=HOST, Origin=OWN_PAGE, Cookie=cookie) == "ada"
    assert await asker("POST", Host=HOST, Origin="http://localhost:9999", Cookie=cookie) is None


async def test_the_database_is_let_go_after_asking(cookie):
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers=1))
    assert await asker("GET", Host=HOST, Cookie=cookie) == "ada"
    assert await sync_to_async(_open_connections, thread_sensitive=False)() == 0


def _open_connections() -> int:
    return sum(1 for each in connections.all() if each.connection is not None)
