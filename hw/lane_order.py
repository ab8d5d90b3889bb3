"""In which order the processor keeps its lanes: those that go to the same neuron beside each other.

A neuron serves the channels n, n + neuron_lanes, n + 2 neuron_lanes, ... one after the other. Synthesis cuts wide
memories into block RAMs of neighbouring bits, and control registers serve neighbouring lanes (:mod:`hw.fanout`). So
what ends at one neuron begins in the same block RAMs, and no wire between them crosses the device. It costs nothing:
the lanes are permuted where weights come in and back where partial sums go out.
"""

from .config import HardwareConfig


def channels(c: HardwareConfig) -> list[int]:
    """The output channel of every lane."""
    return [channel for column in range(c.neuron_lanes) for channel in range(column, c.lanes, c.neuron_lanes)]


def to_lanes(c: HardwareConfig, by_channel) -> list:
    """Values by channel (``lanes`` of them, any type), in the order of the lanes."""
    return [by_channel[channel] for channel in channels(c)]


def to_channels(c: HardwareConfig, by_lane) -> list:
    """Values by lane (``lanes`` of them, any type), in the order of the channels."""
    lane_of = {channel: lane for lane, channel in enumerate(channels(c))}
    return [by_lane[lane_of[channel]] for channel in range(c.lanes)]
