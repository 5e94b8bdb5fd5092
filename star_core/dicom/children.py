"""The children that read foreign DICOM files for this process: started when first needed, kept for the next file."""

from __future__ import annotations

import atexit
import os
import threading

from star_core.isolation import WorkerPool

HEADER_TIMEOUT_S = 4.0
DECODE_TIMEOUT_S = 5.0
MEMORY_MB = 1_600
_MODULES = ("star_core.dicom.frames", "star_core.dicom.seg_frames", "star_core.dicom.decode")
_pools: dict[int, WorkerPool] = {}
_lock = threading.Lock()


def dicom_children() -> WorkerPool:
    """Return this process's children for headers, frames and pixels; they end with the process."""
    with _lock:
        # A process that was forked off shares no pipe with its parent's children.
        if os.getpid() not in _pools:
            pool = _pools[os.getpid()] = WorkerPool(timeout_s=HEADER_TIMEOUT_S, memory_mb=MEMORY_MB, modules=_MODULES)
            atexit.register(pool.close)
        return _pools[os.getpid()]
