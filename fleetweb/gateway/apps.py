from django.apps import AppConfig


class GatewayConfig(AppConfig):
    name = "fleetweb.gateway"

    def ready(self) -> None:
        from fleetweb.fleet.upkeep import upkeep_due

        from . import pruning

        upkeep_due.connect(pruning.upkeep, dispatch_uid="pruning")
