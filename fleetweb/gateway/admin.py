"""What the gateway remembers, to be read in Django's admin. No digest, no text."""

from django.contrib import admin
from django.http import HttpRequest

from fleetweb.fleet.admin import ReadOnlyAdmin

from .models import ApiKey, GatewayProcess, KeyUse, RequestMetric, RoutingRecord


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys are revoked on their own page, and never deleted."""

    exclude = ("digest",)
    list_display = ("name", "shown", "created_at", "last_used_at", "revoked_at", "local_only")
    search_fields = ("name",)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False


@admin.register(KeyUse)
class KeyUseAdmin(ReadOnlyAdmin):
    list_display = ("key", "day", "requests", "tokens", "cost_usd")
    list_filter = ("key",)
    list_select_related = ("key",)
    date_hierarchy = "day"


@admin.register(RequestMetric)
class RequestMetricAdmin(ReadOnlyAdmin):
    list_display = ("id", "asked_at", "status", "caller", "model", "provider", "node", "latency_ms")
    list_filter = ("status", "provider")
    search_fields = ("=id",)
    show_full_result_count = False


@admin.register(RoutingRecord)
class RoutingRecordAdmin(ReadOnlyAdmin):
    list_display = ("request_id", "strategy", "decision", "node_endpoint", "reason")
    list_filter = ("decision",)
    search_fields = ("=request__id",)
    show_full_result_count = False


@admin.register(GatewayProcess)
class GatewayProcessAdmin(ReadOnlyAdmin):
    list_display = ("name", "seen_at")
