"""The errors of the compiler: for what it must refuse, and for a fault of its own."""

from ..support.errors import RepriseError


class CompileError(RepriseError):
    """A configuration cannot run a network; the message names the layer, the limit, the value and the remedy."""


class IllegalCommand(AssertionError):
    """The compiler made a command that the sequencer would refuse: a fault of the compiler, not of its input."""


def limit(ok: bool, layer: str, what: str, value: object, most: object, remedy: str) -> None:
    """Raise CompileError unless ``ok``: ``what`` of a layer is at most ``most``."""
    if not ok:
        raise CompileError(
            f"layer {layer!r}: {what} must be at most {most}, not {value}: {remedy}",
            where=f"layer {layer!r}",
            field=what,
            rule=f"at most {most}",
            value=value,
            remedy=remedy,
        )
