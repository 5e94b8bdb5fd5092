"""How the C library hands out memory."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

# Numbers of glibc's malloc.h; the limits are the largest that mallopt, which takes an int, can be told in whole MiB.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES, _LARGEST_BLOCK_BYTES = 2047 << 20, 1 << 30


@cache
def keep_freed_memory() -> bool:
    """Let this process keep up to 2 GB that it frees, and return whether the C library agreed.

    glibc asks the kernel for each block above 32 MB anew, and the kernel clears it page by page: a third of a
    forecast's time (docs/results/the-whole-method.md). Other systems' allocators are left as they are.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_BLOCK_BYTES) and mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES))
