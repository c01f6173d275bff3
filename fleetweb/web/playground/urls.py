"""The playground's addresses."""

from django.urls import path

from ..views import playground
from ..views import playground_answers as answers

urlpatterns = [
    path("", playground.playground, name="playground"),
    path("route/", playground.route, name="playground-route"),
    path("delete/", answers.delete, name="playground-delete"),
    path(
        "answers/<int:answer_id>/stop/",
        answers.answer_stop,
        name="playground-answer-stop",
    ),
    path(
        "answers/<int:answer_id>/retry/",
        answers.answer_retry,
        name="playground-answer-retry",
    ),
    path(
        "answers/<int:answer_id>/code/",
        answers.answer_code,
        name="playground-answer-code",
    ),
    path("<slug:run_id>/", playground.run_page, name="playground-run"),
    path("<slug:run_id>/stop/", answers.stop, name="playground-stop"),
    path("<slug:run_id>/branch/<int:number>/", playground.branch, name="playground-branch"),
]
