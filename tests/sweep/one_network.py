"""All checks of one network."""

import copy
import zlib
from collections.abc import Callable

import numpy as np

from convscope.explanation.recording import record
from tests.sweep.costs import check_costs
from tests.sweep.faults import Findings
from tests.sweep.fields import check_fields
from tests.sweep.networks import Row, build
from tests.sweep.unchanged import check_output, check_unchanged, facts_of
from tests.sweep.units import check_traces, check_units, sampled_units


def sweep_network(
    row: Row, *, seed: int, units: int, begins: Callable[[str], None] = lambda stage: None
) -> Findings:
    """Build the network and check it; `begins` is told the name of each stage."""
    findings, random = Findings(), np.random.default_rng([seed, zlib.crc32(row.name.encode())])
    begins("building")
    net, image = build(row, seed=seed)
    fresh = copy.deepcopy(net)  # for some networks keep what they computed once
    begins("recording")
    before = facts_of(net)
    try:
        recording = record(net, image)
    except Exception as error:  # noqa: BLE001 -- any is a fault
        findings.add("record", f"raises {type(error).__name__}: {error}")
        return findings
    check_unchanged(before, net, findings)
    check_output(recording, net, image, findings)
    findings.figures["operations"] += len(recording)
    sample = sampled_units(recording, random, units)
    for stage, check in (
        ("units", lambda: check_units(recording, sample, findings)),
        ("traces", lambda: check_traces(recording, random, findings)),
        ("costs", lambda: check_costs(copy.deepcopy(fresh), image, findings)),
        ("fields", lambda: check_fields(fresh, image, random, findings, units=4 * units)),
    ):
        begins(stage)
        try:
            check()
        except Exception as error:  # noqa: BLE001 -- the other checks go on
            findings.add(stage, f"the check raises {type(error).__name__}: {error}")
    return findings
