"""A network in the generated RTL: every element of every feature map is compared with the model."""

import sys

import reprise as rp

result = rp.cosimulate("digits", "tiny", images=2, stall=0.1, seed=3)
print(result)
print(f"predicted {result.predictions}, labels {tuple(result.report['labels'])}, accuracy {result.accuracy:.0f} %")

for layer in result.report["layers"]:
    cycles = layer["cycles"]["rtl"]
    adding = layer["cause_cycles"]["adding"] / cycles
    print(f"  {layer['name']}: {cycles:,} cycles, a residual bit is added in {adding:.0%} of them")

if not result.equal:
    sys.exit(f"first mismatch: {result.first_mismatch}")
