"""The control room as it was: a past moment put together, and the way to the next."""
