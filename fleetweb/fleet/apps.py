from django.apps import AppConfig


class FleetConfig(AppConfig):
    name = "fleetweb.fleet"

    def ready(self) -> None:
        from .thinning import Thinning
        from .upkeep import upkeep_due

        upkeep_due.connect(Thinning().upkeep, weak=False, dispatch_uid="thinning")
