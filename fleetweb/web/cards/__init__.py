"""What the control room shows, as frozen values ready for a template: no Django, no clock."""

from .room import RoomCard, room

__all__ = ["RoomCard", "room"]
