"""What happens in the fleet, for whoever shows it. Receivers are awaited."""

from django.dispatch import Signal

# Sent with `presence` (FleetPresence) and `watchers` (how many look) after every beat.
presence_published = Signal()
