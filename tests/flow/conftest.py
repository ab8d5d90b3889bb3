"""What the tests of a hand-off share: the folder of ``tiny`` for all targets, and what its testbench runs."""

import pytest

from reprise.flow.handoff import handoff as module
from reprise.hw.arch.config import HardwareConfig


@pytest.fixture(scope="session", autouse=True)
def benches():
    """What a testbench runs is made once for each image, for it takes seconds."""
    make, made = module.make_bench, {}

    def once(image, pixels):
        key = image.config, bytes(image.data), pixels.tobytes()
        return made[key] if key in made else made.setdefault(key, make(image, pixels))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "make_bench", once)
        yield


@pytest.fixture(scope="session")
def handoff(tmp_path_factory):
    """The folder. A test that changes a file takes a copy."""
    return module.write_handoff("tiny", HardwareConfig.load("tiny"), tmp_path_factory.mktemp("handoff") / "tiny")
