"""The Python driver of the Reprise accelerator, for PYNQ and for anything else that can read and write its registers.

With PYNQ::

    from pynq import Overlay
    from reprise_driver import Reprise

    overlay = Overlay("reprise.bit")
    device = Reprise(overlay.reprise_0, interrupt=overlay.reprise_0.irq)
    device.load("image")              # the folder that `reprise image` writes
    results = device.run(images)      # any number of images, as integers (n, C, H, W)
    print(results.classes, results.scores)

It needs Python 3.8 and NumPy, and pynq only where memory is allocated by it. Nothing is compiled.
"""

from .device import Reprise, Results
from .errors import ArgumentError, BusHung, Busy, DeviceError, JobError, JobTimeout, OtherDevice
from .image import Image

__all__ = [
    "ArgumentError",
    "BusHung",
    "Busy",
    "DeviceError",
    "Image",
    "JobError",
    "JobTimeout",
    "OtherDevice",
    "Reprise",
    "Results",
]
