"""What a token stream reveals about the model that writes it: phase, doubt, loops, silence."""

from .listener import Listener, Signals

__all__ = ["Listener", "Signals"]
