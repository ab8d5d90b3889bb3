"""The Python driver against the Verilated accelerator, behind an imitation of pynq that checks what pynq checks."""

import asyncio
import importlib
import runpy
import sys

import numpy as np
import pytest

from reprise.export.find import find_network
from reprise.flow.handoff.drivers import write_drivers
from reprise.flow.handoff.image_files import write_image
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.program import Error
from tests.flow.host.device import Allocator, Core, Pynq, Simulation

TINY = HardwareConfig.load("tiny")
BASES = (0x10000000, 0x3_2000_0000)
IMAGES = 2


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The digits, compiled for two images: folder, pixels of five images, and their scores and values by the model."""
    from reprise.compiler import compile_network
    from reprise.model.inference.runner import run

    file = find_network("digits", TINY)[0]
    folder = tmp_path_factory.mktemp("image")
    write_image(folder, compile_network(file.network, TINY, IMAGES), file.images[:IMAGES])
    pixels = file.images[:5]
    return folder, pixels, run(file.network, pixels)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("drivers")
    write_drivers(made, TINY)
    return made


@pytest.fixture(autouse=True)
def loop():
    """An event loop for each test, which ``asyncio.get_event_loop`` would make and nobody would close."""
    made = asyncio.new_event_loop()
    asyncio.set_event_loop(made)
    yield made
    made.close()
    asyncio.set_event_loop(None)


@pytest.fixture
def driver(folder, monkeypatch):
    """The package of the drivers' folder, which is imported as on a board."""
    monkeypatch.syspath_prepend(str(folder / "python"))
    yield importlib.import_module("reprise_driver")
    for name in [name for name in sys.modules if name.partition(".")[0] == "reprise_driver"]:
        del sys.modules[name]


@pytest.fixture
def make(driver):
    """Make a device at a base address; its parts are those of a PYNQ program."""

    def made(base=BASES[0], *, interrupt=True, **options):
        simulation = Simulation(TINY, base)
        core = Core(simulation)
        allocate = Allocator(simulation, **options)
        waits = core.irq if interrupt else None
        options = {"interrupt": waits, "allocate": allocate, "reset": simulation.reset}
        device = driver.Reprise(core, clock=lambda: simulation.library.shim_cycles() / 1e8, **options)
        device.simulation, device.core, device.allocate = simulation, core, allocate
        return device

    return made


@pytest.mark.parametrize("interrupt", [True, False])
@pytest.mark.parametrize("base", BASES)
def test_any_number_of_images(make, digits, base, interrupt):
    """Five images in batches of two, at any address, waited for or polled: scores and potentials are the model's."""
    image, pixels, expected = digits
    with_interrupt = make(base, interrupt=interrupt)
    with_interrupt.load(image)
    found = with_interrupt.run(pixels)
    assert np.array_equal(found.scores, expected.scores) and np.array_equal(found.values, expected.output)
    assert found.classes.tolist() == expected.predictions.tolist()
    assert len(found.counters) == 3 and all(0 < one["RUN_BUSY"] < one["CYCLES"] for one in found.counters)
    assert with_interrupt.core.irq.waited == (3 if interrupt else 0)
    assert with_interrupt.read("IRQ_STATUS", "done") == 0
    library = with_interrupt.simulation.library
    assert (library.shim_stray(), library.shim_refused()) == (0, 0)


@pytest.mark.parametrize("most, slots", [(1 << 20, 2), (1 << 16, 1)])
@pytest.mark.parametrize("skew", [0, 64])
def test_slots_where_memory_allows(make, digits, most, slots, skew):
    """With less memory there is one slot; a buffer that is not on a page is aligned; it is given back."""
    image, pixels, expected = digits
    device = make(BASES[1], most=most, skew=skew)
    device.load(image)
    assert len(device._slots) == slots and all(base % 4096 == 0 for _, base in device._slots)
    assert np.array_equal(device.run(pixels).scores, expected.scores)
    device.load(image, slots=1)
    assert len(device._slots) == 1 and np.array_equal(device.run(pixels[:1]).scores, expected.scores[:1])
    device.close()
    with pytest.raises(device_error(device), match="a network must be loaded before run"):
        device.run(pixels)


def device_error(device):
    return sys.modules["reprise_driver"].DeviceError


def test_a_pynq_program(folder, digits, monkeypatch, capsys):
    """The example as it is delivered, with the accelerator behind ``import pynq``."""
    pynq = Pynq(Simulation(TINY, BASES[1]))
    monkeypatch.setitem(sys.modules, "pynq", pynq)
    monkeypatch.setattr(sys, "path", list(sys.path))
    main = runpy.run_path(str(folder / "examples" / "run_pynq.py"))["main"]
    assert main("reprise.bit", str(digits[0])) == 0
    assert capsys.readouterr().out.endswith("PASS: all class scores are those of the model\n")
    assert pynq.reprise_0.irq.waited == 2
    samples = dict(np.load(digits[0] / "samples.npz"))
    samples["scores"][1, 3] += 1
    np.savez(digits[0] / "samples.npz", **samples)
    try:
        assert main("reprise.bit", str(digits[0])) == 1
        assert capsys.readouterr().out.endswith("FAIL: class scores differ from the model's\n")
    finally:
        samples["scores"][1, 3] -= 1
        np.savez(digits[0] / "samples.npz", **samples)
        for name in [name for name in sys.modules if name.partition(".")[0] == "reprise_driver"]:
            del sys.modules[name]


def test_errors_name_their_cause(make, digits, driver):
    """Every exception that a device can cause; after each the device works, after a hang by a reset."""
    image, pixels, expected = digits
    device = make()
    registers = device.core.mmio
    device.load(image)

    def works():
        assert np.array_equal(device.run(pixels[:2]).scores, expected.scores[:2])

    for register, text in (("ID", "another device"), ("VERSION", "another device"), ("CONFIG_HASH", "compile the")):
        registers.flip = {device.offsets[register]: 1 << 31}
        with pytest.raises(driver.OtherDevice, match=f"{register}.* must be 0x[0-9a-f]*, not 0x[0-9a-f]*: {text}"):
            device.load(image)
    registers.flip = {}
    works()
    base, library = device._slots[0][1], device.simulation.library
    program, windows = base + device.image.program, device.image.windows(base)
    closed = (base, 0)
    for code, start in (
        (7, (program, dict(windows, read=closed))),
        (8, (program, dict(windows, write=closed))),
        (1, (base, windows)),
    ):
        device.start(*start)
        with pytest.raises(driver.JobError, match=f"STATUS.error must be 0, not {code}, at command ") as error:
            device.wait()
        assert error.value.code == code
    device.start(program, windows)
    with pytest.raises(driver.Busy, match="STATUS.busy must be 0, not 1"):
        device.start(program, windows)
    device.stop()
    with pytest.raises(driver.JobError, match="6, at command .*: stopped by the host"):
        device.wait()
    for fault, code in ((windows["read"], 3), (windows["write"], 4)):
        library.shim_fault(fault[0], fault[0] + fault[1] - 1)
        with pytest.raises(driver.JobError, match=f"not {code}, at command .*: AXI"):
            device.run(pixels[:2])
        library.shim_fault(1, 0)
    works()
    device.interrupt = None
    with pytest.raises(driver.JobTimeout, match="the job's time must be at most 0.0 s, not longer: .*command"):
        device.run(pixels[:2], timeout=0.0)
    assert not device.read("STATUS", "busy")
    works()
    library.shim_hang(1)
    with pytest.raises(driver.BusHung, match="STATUS.bus_hung must be 0, not 1: .*reset"):
        device.run(pixels[:2], timeout=1e-4)
    with pytest.raises(driver.BusHung):
        device.run(pixels[:2])
    device.reset()
    works()
    assert (library.shim_stray(), library.shim_refused()) == (0, 0)


def test_every_error_code_of_a_job(make, digits, driver):
    """The remaining codes, by memory and registers that are changed behind the driver; then all of them were seen."""
    image, pixels, expected = digits
    device = make(BASES[1])
    device.load(image, slots=1)
    first, base = device.image.program, device._slots[0][1]
    memory = device.simulation.memory[base - BASES[1] :]
    commands = memory[first : first + device.image._map["program_bytes"]].reshape(-1, 256)
    load_features, load_params = (commands[commands[:, 0] == opcode][0].view("<u4") for opcode in (1, 3))
    at = {opcode: first + 256 * int(np.flatnonzero(commands[:, 0] == opcode)[0]) for opcode in (1, 3)}
    threshold = int(load_params[1]) + (int(load_params[2]) << 32) - base + 4
    barrier = np.array([0x52500005, *[0] * 63], "<u4").view(np.uint8)
    seen = {1, 3, 4, 6, 7, 8}  # of the test above
    for code, place, value in (
        (2, at[1] + 4, np.array([load_features[1] + 4], "<u4").view(np.uint8)),
        (10, threshold, np.zeros(4, np.uint8)),
        (11, at[1], barrier),
        (5, 0, memory[:0]),
    ):
        kept = memory[place : place + len(value)].copy()
        memory[place : place + len(value)] = value
        device.write("WATCHDOG", value=2 if code == 5 else 1 << 20)
        with pytest.raises(driver.JobError, match=f"STATUS.error must be 0, not {code}, at command ") as error:
            device.run(pixels[:2])
        memory[place : place + len(value)] = kept
        seen.add(error.value.code)
    device.write("WATCHDOG", value=1 << 20)
    device.write("PROGRAM_LO", value=4)
    device.write("CONTROL", start=1)
    with pytest.raises(driver.JobError, match="not 9, at command 0: the program's address"):
        device.wait()
    assert seen | {9} == {error.value for error in Error if error}
    assert np.array_equal(device.run(pixels).scores, expected.scores)


def test_a_reset_that_is_missing_or_does_nothing(make, driver):
    device = make()
    device._reset = None
    with pytest.raises(driver.DeviceError, match="reset must be a function, not None"):
        device.reset()
    device._reset = lambda: device.core.mmio.flip.update({device.offsets["STATUS"]: 8})
    with pytest.raises(driver.DeviceError, match="STATUS after a reset must be 0, not 0x8"):
        device.reset()


def test_arguments_that_break_a_rule(make, digits, driver):
    image, pixels, _ = digits
    device = make()
    device.load(image)
    far = 1 << 40
    part, windows, whole = device._slots[0][0], device.image.windows(0), device._owned
    for call, message in (
        (lambda: device.run(pixels[:, :, :7]), r"the shape of images must be \(n, 1, 8, 8\), not \(5, 1, 7, 8\)"),
        (lambda: device.run(pixels[:0]), "the number of images must be at least 1, not 0"),
        (lambda: device.run(pixels + 10), r"the levels of images must be 0..16, not 10..26"),
        (lambda: device.run(pixels / 16), "the type of images must be an integer, not float64"),
        (lambda: device.load(image, slots=0), "slots must be at least 1"),
        (lambda: device.image.constants(far - 4096, device.program_format), r"the image's end must be at most 2\*\*40"),
        (lambda: device.image.unpack(part, "conv1"), "the name of an output must be one of .*readout, not conv1"),
        (lambda: device.start(4, windows), "the program's address must be a multiple of 8 below"),
        (lambda: device.start(far, windows), "the program's address must be a multiple of 8 below"),
        (lambda: device.start(0, {"read": (4, 8)}), "the read window must be multiples of 8 that end at"),
        (lambda: device.start(0, {"write": (far, 8)}), "the write window must be multiples of 8 that end at"),
        (lambda: device.load(image, memory=whole[64:]), "the base address must be a multiple of 4096, not 0x10000040"),
        (lambda: device.load(image, memory=whole[:4096]), "the memory must be at least 36864 bytes, not 4096"),
    ):
        with pytest.raises(driver.ArgumentError, match=message):
            call()
    assert device.read("STATUS", "busy") == 0


def test_a_notebook_s_loop_is_not_blocked(make, digits):
    """Inside of a running event loop no coroutine can be waited for, so STATUS is polled."""
    image, pixels, expected = digits
    device = make()
    device.load(image)

    async def cell():
        return device.run(pixels[:2])

    assert np.array_equal(asyncio.run(cell()).scores, expected.scores[:2]) and device.core.irq.waited == 0
    assert np.array_equal(device.run(pixels[:2]).scores, expected.scores[:2]) and device.core.irq.waited == 1
    asyncio.get_event_loop().close()  # asyncio.run has left none, so the driver has made this one
