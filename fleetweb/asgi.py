"""The whole application: pages, `/v1`, sockets, and the poller's channel."""

import gc
import os

from django.core.asgi import get_asgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetweb.settings")
pages = get_asgi_application()  # before anything below, which needs the apps to be loaded

from channels.routing import ChannelNameRouter, ProtocolTypeRouter, URLRouter  # noqa: E402

from fleetweb.fleet.worker import CHANNEL, PollerWorker  # noqa: E402
from fleetweb.web.access.sockets import SocketAccess  # noqa: E402
from fleetweb.web.routing import websocket_urlpatterns  # noqa: E402
from fleetweb.web.v1 import beside  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": beside(pages),
        "websocket": SocketAccess(URLRouter(websocket_urlpatterns)),
        "channel": ChannelNameRouter({CHANNEL: PollerWorker.as_asgi()}),
    }
)

# What is loaded by now stays. To look through it for garbage takes 60 ms each time (measured), in
# the middle of a page or of somebody's answer.
get_resolver().url_patterns  # noqa: B018  loads the views, which the first request would
gc.collect()
gc.freeze()
# What is remembered of the past fills up meanwhile: to look through that takes 20 ms (measured),
# and Python's own figures have it done in every sixth page. Most of what a page makes goes by
# itself.
gc.set_threshold(10_000, 20, 20)
