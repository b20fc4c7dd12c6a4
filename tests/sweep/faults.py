"""What is found in one network: figures that add up over networks, and faults."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fault:
    """What is wrong: in which check, of which operation and kind, at which unit."""

    check: str
    what: str
    operation: str = ""
    kind: str = ""
    unit: tuple[int, ...] = ()

    def __str__(self) -> str:
        unit = f"[{','.join(map(str, self.unit))}]" if self.unit else ""
        where = f"{self.operation}{unit} ({self.kind})" if self.operation else ""
        return ": ".join(part for part in (self.check, where, self.what) if part)


@dataclass
class Findings:
    """The figures of one network, and its faults.

    Attributes:
        figures: `units`, `fields`, ...: numbers that may be added up over networks.
        unsupported: units that have no explanation, by kind and reason.
        faults: what is wrong.
    """

    figures: Counter[str] = field(default_factory=Counter[str])
    unsupported: Counter[str] = field(default_factory=Counter[str])
    faults: list[Fault] = field(default_factory=list[Fault])

    def add(self, check: str, what: str, **where: Any) -> None:
        self.faults.append(Fault(check, what, **where))

    def to_dict(self) -> dict[str, Any]:
        return {
            "figures": dict(self.figures),
            "unsupported": dict(self.unsupported),
            "faults": [asdict(fault) for fault in self.faults],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Findings":
        faults = [Fault(**{**one, "unit": tuple(one["unit"])}) for one in values["faults"]]
        return cls(Counter(values["figures"]), Counter(values["unsupported"]), faults)
