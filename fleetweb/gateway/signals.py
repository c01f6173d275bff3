"""What happens in the gateway, for whoever counts it."""

from django.dispatch import Signal

# Sent with `passage` (Passage) for every request that is over, however it ended. Receivers are
# plain functions, called once its last byte is on its way.
request_ended = Signal()
