"""What the compiler refuses."""


class CompileError(ValueError):
    """A network that a configuration can't run: the message names the layer, the limit, the value and the remedy."""


def limit(ok: bool, layer: str, what: str, value: object, most: object, remedy: str):
    """Raise CompileError unless ``ok``."""
    if not ok:
        raise CompileError(f"layer {layer!r}: {what} must be at most {most}, not {value}: {remedy}")
