"""What all tests share: one thread of torch, no network, no outside settings, modest numbers of examples."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

# Read by torch and by the libraries under it when they are first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny tensors: a second thread only waits
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("nightly", parent=settings.get_profile("default"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def _no_luna_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own `LUNA_*` settings must not reach the tests."""
    for name in list(os.environ):
        if name.upper().startswith("LUNA_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _torch_as_it_was() -> Iterator[None]:
    """What `optimize_for_cpu` sets for the whole process must not reach the next test."""
    threads = torch.get_num_threads() if (torch := sys.modules.get("torch")) is not None else None
    yield
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_flush_denormal(False)
        if threads is not None and torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
