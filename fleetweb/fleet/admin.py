from django.contrib import admin
from django.http import HttpRequest

from .models import Happened, Node, NodeSample, PollerLease, PresenceSpan


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What was seen is not to be rewritten; it may be deleted."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False


@admin.register(Node)
class NodeAdmin(ReadOnlyAdmin):
    list_display = ("name", "role", "memory_gb", "chip", "last_seen_at")
    list_filter = ("role",)
    search_fields = ("name", "host")


@admin.register(PresenceSpan)
class PresenceSpanAdmin(ReadOnlyAdmin):
    list_display = ("node", "state", "started_at", "ended_at", "sentence")
    list_filter = ("state", "node")
    list_select_related = ("node",)
    date_hierarchy = "started_at"


@admin.register(NodeSample)
class NodeSampleAdmin(ReadOnlyAdmin):
    list_display = ("node", "at", "state", "intensity", "gpu_usage", "temperature_c", "power_w")
    list_filter = ("node",)
    list_select_related = ("node",)
    show_full_result_count = False


@admin.register(PollerLease)
class PollerLeaseAdmin(ReadOnlyAdmin):
    list_display = ("name", "holder", "renewed_at")


@admin.register(Happened)
class HappenedAdmin(ReadOnlyAdmin):
    list_display = ("at", "kind", "node", "words")
    list_filter = ("kind",)
    date_hierarchy = "at"
