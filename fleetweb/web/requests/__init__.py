"""Looking back at single requests: what was asked for, where it went, why, and how long it took."""
