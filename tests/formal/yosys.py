"""``yosys -ql LOG SCRIPT``, as SymbiYosys calls it, by pyosys: the WebAssembly Yosys starts longer than it proves."""

import os
import sys

from pyosys import libyosys

log, script = sys.argv[2:4]
os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)  # Yosys writes past Python's sys.stdout
libyosys.Design().run_pass(f"script {script}")
