"""Where the views stand for each layout."""

from __future__ import annotations

from star_viewer.display import Layout
from star_viewer.scene.orientation import SliceKind
from star_viewer.scene.state import SOLID, LaterView, ViewName

Place = tuple[int, int, int, int]
"""x, y, width and height in Qt's pixels."""

LINE = 2


def place_views(layout: Layout, leading: ViewName, size: tuple[int, int]) -> dict[ViewName, Place]:
    """Share a space among views.

    Parameters
    ----------
    layout
        How many views are shown.
    leading
        The view that was used last; alone or beside the 3D view it is the one that stays.
    size
        (width, height) in Qt's pixels.

    Returns
    -------
    dict
        The place of each view that is shown.
    """
    width, height = size
    left, top = (width - LINE) // 2, (height - LINE) // 2
    right, bottom = width - LINE - left, height - LINE - top
    match layout:
        case Layout.ONE:
            return {leading: (0, 0, width, height)}
        case Layout.SOLID:
            return {SOLID: (0, 0, width, height)}
        case Layout.TWO:
            slices = SliceKind.AXIAL if leading == SOLID else leading
            return {slices: (0, 0, left, height), SOLID: (left + LINE, 0, right, height)}
        case Layout.FOUR:
            return {
                SliceKind.AXIAL: (0, 0, left, top),
                SOLID: (left + LINE, 0, right, top),
                SliceKind.SAGITTAL: (0, top + LINE, left, bottom),
                SliceKind.CORONAL: (left + LINE, top + LINE, right, bottom),
            }


def place_pairs(layout: Layout, leading: ViewName, size: tuple[int, int]) -> dict[ViewName, Place]:
    """Share a space among slice views of the first CT, at the left, and those of the later one beside them.

    Both of a pair are of one size, so that a place lies at the same pixel of each. Arguments as for
    :func:`place_views`; where the 3D view is alone, it stays so.
    """
    if layout is Layout.SOLID or (layout is Layout.ONE and leading == SOLID):
        return place_views(layout, leading, size)
    width, height = size
    half = (width - LINE) // 2
    if layout is Layout.FOUR:
        kinds = [SliceKind.AXIAL, SliceKind.SAGITTAL, SliceKind.CORONAL]
    else:
        kinds = [SliceKind(leading) if leading != SOLID else SliceKind.AXIAL]
    row = (height - LINE * (len(kinds) - 1)) // len(kinds)
    places: dict[ViewName, Place] = {}
    for number, kind in enumerate(kinds):
        top = number * (row + LINE)
        places[LaterView[kind.name]] = (width - half, top, half, row)
        places[kind] = (0, top, half, row)
    return places


def legend_view(places: dict[ViewName, Place]) -> ViewName:
    """Return the view that bears the colour scale: the one at the lower right, a slice where there is one."""
    slices = [name for name in places if name != SOLID]
    return slices[-1] if slices else SOLID
