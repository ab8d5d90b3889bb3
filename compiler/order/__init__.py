"""In which order the channels of a feature map lie in memory: those that fire together side by side."""

from .choose import in_order

__all__ = ["in_order"]
