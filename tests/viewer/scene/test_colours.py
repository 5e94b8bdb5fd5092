"""The risk's colours."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

from star_viewer.display import ColourMap
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


@pytest.mark.parametrize("colour_map", ColourMap)
def test_every_colour_map_grows_ever_lighter(colour_map: ColourMap) -> None:
    lightness = build_risk_table(colour_map=colour_map).astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > -1.0).all()
    assert lightness[-1] - lightness[0] > 150


@pytest.mark.parametrize("colour_map", ColourMap)
def test_a_colour_map_follows_matplotlibs(colour_map: ColourMap) -> None:
    whole = 255 * matplotlib.colormaps[colour_map.value](np.linspace(0, 1, 512))[:, :3]
    for colour in build_risk_table(64, colour_map):
        assert np.abs(whole - colour).max(axis=1).min() < 12
