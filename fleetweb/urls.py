from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path
from django.views.generic import RedirectView

from .web.openapi import openapi
from .web.views import api, health, history_api, keys
from .web.views.cancel import cancel
from .web.views.history import history_page, node_page
from .web.views.login import SignIn
from .web.views.replay import replay_api, replay_page
from .web.views.requests import request_page, requests_page
from .web.views.room import room_page
from .web.views.route import route

handler400 = "fleetweb.web.access.refusals.bad_request"

urlpatterns = [
    path("", room_page, name="room"),
    path("api/presence", api.presence, name="api-presence"),
    path("api/cluster", api.cluster, name="api-cluster"),
    path("api/nodes/<str:name>/latency", history_api.node_latency, name="api-node-latency"),
    path("api/requests", history_api.requests, name="api-requests"),
    path("api/requests/<str:request_id>", history_api.request_detail, name="api-request-detail"),
    path("replay/", replay_page, name="replay"),
    path("api/replay", replay_api, name="api-replay"),
    path("history/", history_page, name="history"),
    path("nodes/<path:name>/", node_page, name="node-detail"),
    path("requests/", requests_page, name="requests"),
    path("requests/<str:request_id>/", request_page, name="request-detail"),
    path("requests/<str:request_id>/cancel/", cancel, name="request-cancel"),
    path("api/route", route, name="api-route"),
    path("api/openapi.json", openapi, name="api-openapi"),
    path("playground/", include("fleetweb.web.playground.urls")),
    path("keys/", keys.keys_page, name="keys"),
    path("keys/<int:pk>/", keys.key_limits, name="key-limits"),
    path("keys/<int:pk>/revoke/", keys.key_revoke, name="key-revoke"),
    path("healthz", health.healthz, name="healthz"),
    path("metrics", health.metrics, name="metrics"),
    path("favicon.ico", RedirectView.as_view(url="/static/favicon/rest.svg")),
    path("login/", SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]
