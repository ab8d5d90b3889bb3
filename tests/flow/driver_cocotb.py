"""cocotb side of test_fpga_driver: the C and the Python driver on the RTL's registers, through AXI4-Lite.

A driver is ordinary blocking code: it runs in a thread of its own (``bridge``), each register access goes back into
the simulation (``resume``).
"""

import ctypes
import importlib.util
import json
import os
import threading

import cocotb
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import Timer

from reprise.cosim.bench.system_cocotb import PERIOD, Host

READ = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)
WRITE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)
BUSY, TIMEOUT, IDLE, OTHER_CONFIG, NO_DEVICE = -4, -5, -6, -3, -1


class Device(ctypes.Structure):
    """struct reprise"""

    _fields_ = (("read", READ), ("write", WRITE), ("context", ctypes.c_void_p))


def c_windows(read, write):
    """struct reprise_windows"""
    return (ctypes.c_uint64 * 4)(read["base"], read["size"], write["base"], write["size"])


class Mmio:
    """The registers for blocking code in a bridge; ``flip`` changes what reads of one offset give."""

    def __init__(self, dut):
        self.host = Host(dut)
        self._access, self.irq = resume(self.host.access), resume(self.host.irq)
        self._dump, self.load = resume(self.host.dump), resume(self.host.load)
        self.flip = {}
        self.writes = []

    def read(self, offset):
        return self._access(offset) ^ self.flip.get(offset, 0)

    def write(self, offset, value):
        assert self._access(offset, value) != -1, f"write of 0x{offset:x} was refused"
        self.writes.append((offset, value))

    def dump(self, name):
        self._dump(0, JOB["words"] - 1, f"{JOB['folder']}/{name}.dump")


with open(os.environ["DRIVER_JOB"]) as file:
    JOB = json.load(file)


async def start(dut):
    dut.rst.value = 1
    for name in ("host_request", "host_write", "host_address", "host_data", "dump_request", "load_request"):
        getattr(dut, name).value = 0
    dut.dump_first.value = dut.dump_last.value = 0
    for name, value in JOB["signals"].items():
        getattr(dut, name).value = value
    Clock(dut.clk, PERIOD, unit="ns", impl="gpi").start()
    await Timer(5 * PERIOD, "ns")
    dut.rst.value = 0
    await Timer(2 * PERIOD, "ns")


def c_job(mmio):
    """Probe, poll, interrupt, refuse, fail, stop, recover: every function of the C driver."""
    library = ctypes.CDLL(JOB["library"])
    library.reprise_cycles.restype = ctypes.c_uint64
    library.reprise_start.argtypes = (ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_int)
    library.reprise_command.restype = ctypes.c_uint32
    device = Device(READ(lambda _, at: mmio.read(at)), WRITE(lambda _, at, value: mmio.write(at, value)), None)
    dev, program, digest = ctypes.byref(device), JOB["program"], JOB["hash"]
    windows = c_windows(**JOB["windows"])
    assert library.reprise_probe(dev, 0) == 0
    assert library.reprise_probe(dev, ctypes.c_uint32(digest)) == 0
    assert library.reprise_probe(dev, ctypes.c_uint32(digest ^ 1)) == OTHER_CONFIG
    mmio.flip = {0: 1}
    assert library.reprise_probe(dev, 0) == NO_DEVICE
    mmio.flip = {}
    assert library.reprise_result(dev) == IDLE and library.reprise_interrupt(dev) == IDLE
    library.reprise_watchdog(dev, 100_000)
    assert library.reprise_start(dev, program, windows, 0) == 0
    assert library.reprise_start(dev, program, windows, 0) == BUSY and library.reprise_result(dev) == BUSY
    assert library.reprise_wait(dev, 1) == TIMEOUT
    assert library.reprise_wait(dev, 1_000_000) == 0
    assert library.reprise_command(dev) == JOB["commands"] - 1
    counters = (ctypes.c_uint32 * len(JOB["counters"]))()
    library.reprise_counters(dev, counters)
    named = dict(zip(JOB["counters"], counters, strict=True))
    assert named["COMMANDS"] == JOB["commands"] - 1 and named["RUNS"] == JOB["runs"]
    assert 0 < named["RUN_BUSY"] < library.reprise_cycles(dev) < 100_000
    mmio.dump("c-poll")
    mmio.load()
    assert library.reprise_start(dev, program, windows, 1) == 0
    mmio.irq(1_000_000)
    assert library.reprise_interrupt(dev) == 0 and library.reprise_interrupt(dev) == IDLE
    mmio.dump("c-interrupt")
    mmio.load()
    assert library.reprise_start(dev, JOB["not_a_program"], windows, 0) == 0
    assert library.reprise_wait(dev, 1_000_000) == 1 and library.reprise_command(dev) == 0
    assert library.reprise_start(dev, program, windows, 0) == 0
    library.reprise_stop(dev)
    assert library.reprise_wait(dev, 1_000_000) == 6
    for given, code in (
        (c_windows({"base": 0, "size": 0}, JOB["windows"]["write"]), 7),
        (c_windows(JOB["windows"]["read"], {"base": 0, "size": 64}), 8),
        (c_windows(JOB["windows"]["read"], {"base": 4, "size": 64}), 9),
    ):
        assert library.reprise_start(dev, program, given, 0) == 0
        assert library.reprise_wait(dev, 1_000_000) == code
    mmio.load()
    assert library.reprise_start(dev, program, windows, 0) == 0 and library.reprise_wait(dev, 1_000_000) == 0
    mmio.dump("c-after-errors")


def python_job(mmio):
    """The same with the Python driver."""
    spec = importlib.util.spec_from_file_location("reprise_driver", JOB["driver"])
    driver = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(driver)
    device = driver.Reprise(mmio, registers_path=JOB["registers"], map_path=JOB["map"])
    device.probe()
    mmio.flip = {device.offsets["CONFIG_HASH"]: 0x80}
    try:
        device.probe()
        raise AssertionError("another configuration was accepted")
    except driver.DeviceError as error:
        assert "another configuration" in str(error)
    mmio.flip = {}
    counters = device.run(timeout=300)
    assert counters["COMMANDS"] == JOB["commands"] - 1 and 0 < counters["RUN_BUSY"] < counters["CYCLES"]
    mmio.dump("python-poll")
    mmio.load()
    device.start(interrupt=True)
    try:
        device.start()
        raise AssertionError("a second start was accepted")
    except driver.DeviceError as error:
        assert "in progress" in str(error)
    mmio.irq(1_000_000)
    device.wait()
    assert device.read("IRQ_STATUS", "done") == 0
    mmio.dump("python-interrupt")
    closed, elsewhere = {"base": 0, "size": 0}, {"base": 8, "size": 1 << 40}
    tight = JOB["windows"]
    for program, windows, stop, code in (
        (JOB["not_a_program"], None, False, 1),
        (None, None, True, 6),
        (None, tight | {"read": closed}, False, 7),
        (None, tight | {"write": closed}, False, 8),
        (None, tight | {"write": elsewhere}, False, 9),
    ):
        device.start(program, windows=windows)
        if stop:
            device.stop()
        try:
            device.wait(timeout=300)
            raise AssertionError(f"no error {code}")
        except driver.DeviceError as error:
            assert error.code == code
    mmio.load()
    device.run(timeout=300)
    mmio.dump("python-after-errors")


async def drive(dut, job):
    """Run a driver's job in a bridge; register accesses must come from the bridge's thread."""
    await start(dut)
    mmio = Mmio(dut)
    main = threading.get_ident()

    def blocking():
        assert threading.get_ident() != main
        job(mmio)

    await bridge(blocking)()
    assert mmio.writes


@cocotb.test()
async def c_driver(dut):
    await drive(dut, c_job)


@cocotb.test()
async def python_driver(dut):
    await Host(dut).load()
    await drive(dut, python_job)
