"""What all tests share: one thread of torch, no network, no outside settings, modest numbers of examples.

Tests run in any order and in several processes at once: what a test writes goes to its `tmp_path`, what it
sets for the whole process is undone here, and nobody touches the folders of the user who runs them.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator

import platformdirs
import pytest
from hypothesis import HealthCheck, settings

# Read by torch and by the libraries under it when they are first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny tensors: a second thread only waits
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"

for _name in [name for name in os.environ if name.upper().startswith("LUNA_")]:
    del os.environ[_name]  # the developer's own settings

# The user's folders are this process' own. Matplotlib keeps its list of fonts, which takes seconds to make.
_USER = tempfile.mkdtemp(prefix="lunagpt-testes-")
os.environ.setdefault("MPLCONFIGDIR", str(platformdirs.user_cache_path("matplotlib")))
os.environ |= dict.fromkeys(("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"), _USER)

settings.register_profile(
    "default", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("nightly", parent=settings.get_profile("default"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_unconfigure() -> None:
    shutil.rmtree(_USER, ignore_errors=True)


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    """What a command sets for the whole process must not reach the next test."""
    logger = logging.getLogger("lunagpt")  # `show_log`
    handlers, propagate, level = logger.handlers, logger.propagate, logger.level
    torch = sys.modules.get("torch")
    threads = None if torch is None else torch.get_num_threads()
    yield
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)
    if (notices := sys.modules.get("lunagpt.rag.embeddings.notices")) is not None:
        notices._told.clear()  # what is said only once
    if (torch := sys.modules.get("torch")) is not None:  # `optimize_for_cpu`
        torch.set_flush_denormal(False)
        if threads is not None and torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
