from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.generic import RedirectView

from .web.views import api, health
from .web.views.login import SignIn
from .web.views.room import room_page
from .web.views.route import route

handler400 = "fleetweb.web.access.refusals.bad_request"

urlpatterns = [
    path("", room_page, name="room"),
    path("api/presence", api.presence, name="api-presence"),
    path("api/cluster", api.cluster, name="api-cluster"),
    path("api/route", route, name="api-route"),
    path("healthz", health.healthz, name="healthz"),
    path("metrics", health.metrics, name="metrics"),
    path("favicon.ico", RedirectView.as_view(url="/static/favicon/rest.svg")),
    path("login/", SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]
