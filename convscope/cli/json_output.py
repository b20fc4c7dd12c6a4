"""Output for programs."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from convscope.words.json_text import to_json


def print_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print one JSON value on standard output."""
    sys.stdout.write(to_json(value) + "\n")
