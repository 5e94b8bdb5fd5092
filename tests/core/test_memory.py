"""Memory that is kept comes back without the kernel clearing it again."""

from __future__ import annotations

import subprocess
import sys

import pytest

_FAULTS = """
import resource, sys
from star_core.memory import keep_freed_memory
import numpy as np
if sys.argv[1] == "kept":
    assert keep_freed_memory()
np.ones(64 << 20, dtype=np.int8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    np.ones(64 << 20, dtype=np.int8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone takes these settings")
def test_a_large_array_after_a_large_array_takes_no_new_pages() -> None:
    faults = {
        how: int(subprocess.run([sys.executable, "-c", _FAULTS, how], check=True, capture_output=True).stdout)
        for how in ("asked", "kept")
    }
    assert faults["kept"] < 0.1 * faults["asked"]
