from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import path

from .web.views.login import SignIn

handler400 = "fleetweb.web.access.refusals.bad_request"

urlpatterns = [
    path("login/", SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]
