"""Exports whose engines are timed briefly: tests/engines/test_timing.py tests the timing."""

from collections.abc import Iterator

import pytest

from convscope.engines import timing


@pytest.fixture(scope="module", autouse=True)
def brief_timing() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "ROUNDS", 2)
        patch.setattr(timing, "_SECONDS", 0.01)
        yield
