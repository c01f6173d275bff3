"""The whole application: pages, `/v1`, sockets, and the poller's channel."""

import os

from django.core.asgi import get_asgi_application

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
