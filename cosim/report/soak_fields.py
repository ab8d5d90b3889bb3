"""The fields of ``soak.json`` (see :mod:`reprise.estimate.report.fields`)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...estimate.report.fields import Count, Fields, Head


class SoakCounts(Fields):
    """How random networks ended."""

    equal: Count = Field(description="networks that equal the models in all that is compared")
    refused: Count = Field(description="seeds all of whose networks the compiler refused for the configuration")
    mismatch: Count = Field(description="networks that differ")
    failed: Count = Field(description="networks whose job ended in an error, never, or with the simulation")
    exact: Count = Field(
        description="equal networks whose cycles are among that: their memory does not stall at random, so that every "
        "RUN and the job must end in the cycle that the exact cycle model says"
    )
    refusals: Count = Field(description="networks that the compiler refused, in whose place another one was drawn")
    rtl_cycles: Count = Field(description="cycles of all jobs in the RTL; 0 in the interpreter")


class SoakConfiguration(SoakCounts):
    """The counts of one configuration."""

    name: str = Field(description="name of the preset, or of the random configuration")
    configuration: dict[str, int] = Field(description="every field of the configuration")
    verilog_sha256: str | None = Field(
        description="digest of its Verilog, to which the counts belong; null without RTL"
    )


class SoakBad(Fields):
    """A random network that did not end well."""

    name: str = Field(description="name of the configuration")
    seed: Count = Field(description="seed of the network and its images")
    status: Literal["mismatch", "failed"] = Field(description="how it ended")
    detail: str = Field(description="the first difference, or the error")


class Soak(Head):
    """What ``reprise soak`` writes to ``soak.json``: counts over all of its calls."""

    kind: Literal["soak"] = Field(description="which report this is")
    engine: Literal["rtl", "interpreter"] = Field(description="what was compared with the models")
    networks: Count = Field(description="number of random networks that were run, or refused")
    total: SoakCounts = Field(description="how they ended")
    configurations: list[SoakConfiguration] = Field(description="how they ended on each configuration")
    traits: dict[str, Count] = Field(description="how many equal networks have each trait")
    bad: list[SoakBad] = Field(description="those that did not end well")
    real: dict[str, str] = Field(description="how each real network of this call ended; empty without them")
