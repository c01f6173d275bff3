"""What happens in the gateway, for whoever counts it."""

from django.dispatch import Signal

# Sent with `passage` (Passage) for every request that is over, however it ended. Receivers are
# plain functions, called while its caller waits for the last byte.
request_ended = Signal()
