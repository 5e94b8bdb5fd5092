"""Which way a view looks: planes of a grid in radiological convention and the letters at their edges.

Slices are shown as acquired, along the grid's own index axes, so no acquired pixel is interpolated away; the letters
come from the affine and name both directions where a grid lies obliquely ("LA"). Pure NumPy: no screen in here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations

import numpy as np

from star_core.types import DoubleArray, Geometry

OBLIQUE_COSINE = 0.17
"""Direction cosines below this (10 degrees off the plane) get no letter of their own."""


class SliceKind(StrEnum):
    """The three slice views; each value is also its name on screen."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


# Patient axis (0 = L, 1 = P, 2 = S) and sign that point right, up and out of the screen towards the reader.
_RIGHT = {SliceKind.AXIAL: (0, 1), SliceKind.CORONAL: (0, 1), SliceKind.SAGITTAL: (1, 1)}
_UP = {SliceKind.AXIAL: (1, -1), SliceKind.CORONAL: (2, 1), SliceKind.SAGITTAL: (2, 1)}
# A step forwards goes towards the head, the front and the patient's left.
_FORWARDS = {SliceKind.AXIAL: (2, 1), SliceKind.CORONAL: (1, -1), SliceKind.SAGITTAL: (0, 1)}

_LETTERS = (("L", "R"), ("P", "A"), ("S", "I"))


def to_letters(direction_lps: DoubleArray) -> str:
    """Name a direction in patient space, strongest component first.

    Parameters
    ----------
    direction_lps
        (3,) direction in LPS; any length but zero.

    Returns
    -------
    str
        One to three of L, R, P, A, S (superior), I (inferior).
    """
    cosines = np.asarray(direction_lps, dtype=np.float64) / np.linalg.norm(direction_lps)
    strongest_first = sorted(range(3), key=lambda axis: -abs(cosines[axis]))
    return "".join(
        _LETTERS[axis][0 if cosines[axis] > 0 else 1] for axis in strongest_first if abs(cosines[axis]) > OBLIQUE_COSINE
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SlicePlane:
    """The family of parallel slices that one view shows.

    Screen coordinates are (u, v) in mm: u to the right and v up, both measured from the LPS origin.

    Parameters
    ----------
    kind
        Which of the three views.
    geometry
        The grid whose slices are shown.
    normal_axis
        Index axis (0 slice, 1 row, 2 column) that is stepped through.
    forwards
        +1 or -1: change of that index when the reader steps forwards.
    frame_lps
        (3, 3) orthonormal rows: right, up and towards the reader, in LPS.
    """

    kind: SliceKind
    geometry: Geometry
    normal_axis: int
    forwards: int
    frame_lps: DoubleArray

    @property
    def image_axes(self) -> tuple[int, int]:
        """Index axes of a slice's image: (along its rows of memory, along its columns of memory)."""
        first, second = (axis for axis in range(3) if axis != self.normal_axis)
        return first, second

    @property
    def slice_count(self) -> int:
        """Number of slices."""
        return self.geometry.shape[self.normal_axis]

    @property
    def letters(self) -> tuple[str, str, str, str]:
        """Letters at the left, right, top and bottom edge."""
        right, up = self.frame_lps[0], self.frame_lps[1]
        return to_letters(-right), to_letters(right), to_letters(up), to_letters(-up)

    def slice_index_of(self, point_mm: DoubleArray) -> int:
        """Return the slice nearest to a point, clamped to the grid."""
        index = float(self.geometry.lps_to_index(np.asarray(point_mm))[self.normal_axis])
        return int(np.clip(np.floor(index + 0.5), 0, self.slice_count - 1))

    def to_screen_mm(self, point_mm: DoubleArray) -> DoubleArray:
        """Map (..., 3) LPS mm to (..., 2) screen mm."""
        screen_mm: DoubleArray = np.asarray(point_mm, dtype=np.float64) @ self.frame_lps[:2].T
        return screen_mm

    def image_to_screen(self, slice_index: int) -> DoubleArray:
        """Return the (3, 3) map from (column of memory, row of memory, 1) of one slice's image to (u, v, 1) in mm."""
        affine_lps = self.geometry.affine_lps
        row_axis, column_axis = self.image_axes
        origin_mm = affine_lps[:3, 3] + affine_lps[:3, self.normal_axis] * slice_index
        matrix = np.eye(3)
        matrix[:2, 0] = self.frame_lps[:2] @ affine_lps[:3, column_axis]
        matrix[:2, 1] = self.frame_lps[:2] @ affine_lps[:3, row_axis]
        matrix[:2, 2] = self.frame_lps[:2] @ origin_mm
        return matrix

    def screen_to_lps(self, slice_index: int) -> DoubleArray:
        """Return the (4, 4) map from (u, v, 0, 1) on one slice to LPS mm; its third column is the slice's normal."""
        in_image = np.linalg.inv(self.image_to_screen(slice_index))
        affine_lps = self.geometry.affine_lps
        row_axis, column_axis = self.image_axes
        edges_mm = np.stack([affine_lps[:3, column_axis], affine_lps[:3, row_axis]], axis=1)
        matrix = np.eye(4)
        matrix[:3, :2] = edges_mm @ in_image[:2, :2]
        matrix[:3, 2] = self.frame_lps[2]
        origin_mm = affine_lps[:3, 3] + affine_lps[:3, self.normal_axis] * slice_index
        matrix[:3, 3] = origin_mm + edges_mm @ in_image[:2, 2]
        return matrix

    def extent_mm(self) -> tuple[float, float, float, float]:
        """Return (u_min, u_max, v_min, v_max) of the middle slice, voxel edges included."""
        row_axis, column_axis = self.image_axes
        rows, columns = self.geometry.shape[row_axis], self.geometry.shape[column_axis]
        corners = np.array([[x, y, 1.0] for x in (-0.5, columns - 0.5) for y in (-0.5, rows - 0.5)])
        u_mm, v_mm, _ = self.image_to_screen(self.slice_count // 2) @ corners.T
        return float(u_mm.min()), float(u_mm.max()), float(v_mm.min()), float(v_mm.max())

    def step(self, point_mm: DoubleArray, slices: int) -> DoubleArray:
        """Move a point forwards by whole slices onto a slice's centre plane, staying inside the grid."""
        index = self.geometry.lps_to_index(np.asarray(point_mm, dtype=np.float64))
        target = self.slice_index_of(point_mm) + self.forwards * slices
        index[self.normal_axis] = np.clip(target, 0, self.slice_count - 1)
        return self.geometry.index_to_lps(index)

    def position_text(self, point_mm: DoubleArray) -> str:
        """Name the slice and where it lies: "slice 41 / 119 · S 12.5 mm"."""
        slice_index = self.slice_index_of(point_mm)
        row_axis, column_axis = self.image_axes
        centre = np.zeros(3)
        centre[row_axis] = (self.geometry.shape[row_axis] - 1) / 2
        centre[column_axis] = (self.geometry.shape[column_axis] - 1) / 2
        centre[self.normal_axis] = slice_index
        axis = _FORWARDS[self.kind][0]
        along_mm = float(self.geometry.index_to_lps(centre)[axis])
        letter = _LETTERS[axis][0 if along_mm >= 0 else 1]
        number = slice_index + 1 if self.forwards > 0 else self.slice_count - slice_index
        return f"{number} / {self.slice_count}   {letter} {abs(along_mm):.1f} mm"


def assign_patient_axes(geometry: Geometry) -> tuple[int, int, int]:
    """Return the index axis that runs most along L-R, A-P and S-I; each axis is used once."""
    cosines = np.abs(geometry.affine_lps[:3, :3] / np.linalg.norm(geometry.affine_lps[:3, :3], axis=0))
    left, posterior, superior = max(permutations(range(3)), key=lambda axes: float(cosines[range(3), axes].sum()))
    return left, posterior, superior


def build_plane(kind: SliceKind, geometry: Geometry) -> SlicePlane:
    """Find the plane of a grid that stands for a view, whichever way the grid was acquired."""
    index_axes = assign_patient_axes(geometry)
    edges_mm = geometry.affine_lps[:3, :3]

    def direction(patient_axis: int, sign: int) -> DoubleArray:
        edge_mm: DoubleArray = edges_mm[:, index_axes[patient_axis]]
        unit = edge_mm / np.linalg.norm(edge_mm)
        return unit if unit[patient_axis] * sign > 0 else -unit

    right = direction(*_RIGHT[kind])
    up = direction(*_UP[kind])
    up = up - (up @ right) * right
    up = up / np.linalg.norm(up)
    patient_axis, sign = _FORWARDS[kind]
    normal_axis = index_axes[patient_axis]
    forwards = 1 if edges_mm[patient_axis, normal_axis] * sign > 0 else -1
    frame_lps = np.stack([right, up, np.cross(right, up)])
    return SlicePlane(kind=kind, geometry=geometry, normal_axis=normal_axis, forwards=forwards, frame_lps=frame_lps)
