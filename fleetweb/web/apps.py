from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "fleetweb.web"

    def ready(self) -> None:
        from fleetweb.fleet.signals import presence_published
        from fleetweb.gateway.signals import request_ended

        from . import metrics_gateway
        from .broadcast import broadcast

        presence_published.connect(broadcast.presence_published, dispatch_uid="broadcast")
        request_ended.connect(metrics_gateway.count, dispatch_uid="metrics")
