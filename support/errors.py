"""How an error is told: the field, the rule, the value and the remedy."""

from pydantic import ValidationError


def explain(where: str, error: ValidationError) -> ValueError:
    """One ValueError: every field with its rule and value."""
    lines = []
    for e in error.errors(include_url=False):
        field = ".".join(str(p) for p in e["loc"]) or "(whole)"
        lines.append(f"{field}: {e['msg']}, not {str(e.get('input'))[:80]!r}")
    return ValueError(f"{where}: " + "; ".join(lines))
