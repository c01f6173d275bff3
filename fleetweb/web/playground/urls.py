"""The playground's addresses."""

from django.urls import path

from ..views import playground as views

urlpatterns = [
    path("", views.playground, name="playground"),
    path("route/", views.route, name="playground-route"),
    path("delete/", views.delete, name="playground-delete"),
    path("answers/<int:answer_id>/stop/", views.answer_stop, name="playground-answer-stop"),
    path("answers/<int:answer_id>/retry/", views.answer_retry, name="playground-answer-retry"),
    path("answers/<int:answer_id>/code/", views.answer_code, name="playground-answer-code"),
    path("<slug:run_id>/", views.run_page, name="playground-run"),
    path("<slug:run_id>/stop/", views.stop, name="playground-stop"),
    path("<slug:run_id>/branch/<int:number>/", views.branch, name="playground-branch"),
]
