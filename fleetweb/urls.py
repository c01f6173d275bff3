from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path
from django.views.generic import RedirectView

from .web.openapi import openapi
from .web.views import api, health, keys
from .web.views.cancel import cancel
from .web.views.login import SignIn
from .web.views.replay import replay_page
from .web.views.requests import request_page, requests_page
from .web.views.room import room_page
from .web.views.route import route

handler400 = "fleetweb.web.access.refusals.bad_request"

urlpatterns = [
    path("", room_page, name="room"),
    path("api/presence", api.presence, name="api-presence"),
    path("api/cluster", api.cluster, name="api-cluster"),
    path("replay/", replay_page, name="replay"),
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
