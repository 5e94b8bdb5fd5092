"""The risk's colours."""

from __future__ import annotations

import numpy as np

from star_viewer.scene.colours import build_overlay_table, build_risk_table


def test_risk_colours_grow_ever_lighter() -> None:
    lightness = build_risk_table().astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > -1.0).all()
    assert lightness[-1] - lightness[0] > 150


def test_nothing_shows_below_the_threshold() -> None:
    alpha = build_overlay_table(0.5, 0.25)[:, 3]
    assert (alpha[:63] == 0).all()
    assert (alpha[65:] == 128).all()


def test_no_risk_never_shows() -> None:
    assert build_overlay_table(1.0, 0.0)[0, 3] == 0
