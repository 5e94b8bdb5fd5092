"""TotalSegmentator, where a centre has installed it (doi 10.1148/ryai.230024); nothing of it is fetched from here."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from star_core.errors import SegmentationError
from star_core.imaging.liver.segment import LiverSegmentation, describe_foreign_liver
from star_core.imaging.nifti import read_nifti_volume, write_nifti_volume
from star_core.types import Volume

_PROGRAM = "TotalSegmentator"
_LONGEST_S = 3600.0
_REMEDY = "Install it with its weights, or choose --method classical."


def segment_with_totalsegmentator(volume: Volume, *, timeout_s: float = _LONGEST_S) -> LiverSegmentation:
    """Return the liver that TotalSegmentator finds, run as a program of its own.

    Raises
    ------
    SegmentationError
        When it or its weights are not installed, or it fails or takes longer than ``timeout_s``.
    """
    command = find_totalsegmentator()
    with tempfile.TemporaryDirectory(prefix="star-") as folder:
        scan, out = Path(folder) / "ct.nii.gz", Path(folder) / "out"
        write_nifti_volume(volume, scan)
        _run([*command, "-i", str(scan), "-o", str(out), "--roi_subset", "liver"], timeout_s)
        found = out / "liver.nii.gz"
        if not found.is_file():
            raise SegmentationError(f"{_PROGRAM} ended without a liver.", remedy="Choose --method classical.")
        liver = read_nifti_volume(found)
    if not liver.geometry.is_close_to(volume.geometry, tolerance_mm=0.1):
        raise SegmentationError(f"{_PROGRAM}'s liver lies on another grid than the CT.", remedy=_REMEDY)
    return describe_foreign_liver(volume, np.asarray(liver.voxels_hu > 0), _PROGRAM)


def find_totalsegmentator() -> list[str]:
    """Return the command that starts it.

    Raises
    ------
    SegmentationError
        When it or its weights are not on this computer.
    """
    program = shutil.which(_PROGRAM)
    if program is None and importlib.util.find_spec("totalsegmentator") is None:
        raise SegmentationError(f"{_PROGRAM} is not installed on this computer.", remedy=_REMEDY)
    # Without weights it would fetch them from the network by itself.
    if not any(_weights_folder().glob("Dataset*")):
        raise SegmentationError(f"{_PROGRAM} is installed without its weights.", remedy=_REMEDY)
    return [program] if program else [sys.executable, "-m", "totalsegmentator.bin.TotalSegmentator"]


def _weights_folder() -> Path:
    if told := os.environ.get("TOTALSEG_WEIGHTS_PATH"):
        return Path(told)
    return Path(os.environ.get("TOTALSEG_HOME_DIR") or Path.home() / ".totalsegmentator") / "nnunet" / "results"


def _run(command: list[str], timeout_s: float) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=timeout_s, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise SegmentationError(
            f"{_PROGRAM} gave no answer within {timeout_s:g} s and was stopped.", remedy="Choose --method classical."
        ) from error
    except (subprocess.CalledProcessError, OSError) as error:
        said = getattr(error, "stderr", None) or b""
        raise SegmentationError(
            f"{_PROGRAM} failed.",
            remedy="Run it by itself on this CT, or choose --method classical.",
            details=said.decode("utf-8", "replace")[-2000:] or str(error),
        ) from error
