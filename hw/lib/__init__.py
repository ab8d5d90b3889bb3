"""Parts that know nothing of neurons: FIFOs, wide memories, fan-out trees and bit logic."""
