"""What a network costs on a configuration, before any RTL exists: cycles by layer."""

import reprise as rp

network = rp.load("digits")  # a preset; a network file's path does as well
print(network)

tiny = rp.HardwareConfig.load("tiny")
estimate = rp.estimate_cycles(network, tiny, images=4)
print(estimate)  # a table by layer
print(f"{estimate.frames_per_second(clock_mhz=80):,.0f} frames per second at 80 MHz")

wide = tiny.replace(lanes=16)  # validated again: a wrong field or value is refused by its name
for name, config in (("tiny", tiny), ("with 16 lanes", wide)):
    print(f"{name}: {rp.estimate_cycles(network, config, images=4)!r}")
