"""Which socket is where."""

from django.urls import path

from .consumers import PresenceConsumer
from .playground.consumer import RunConsumer

websocket_urlpatterns = [
    path("ws/presence/", PresenceConsumer.as_asgi()),
    path("ws/playground/<slug:run_id>/", RunConsumer.as_asgi()),
]
