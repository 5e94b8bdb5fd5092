"""Models of the record alone, by their names on the command line."""

from __future__ import annotations

from enum import StrEnum

from star_core.clinical.scores import ScoreName
from star_core.model.comparators.base import TabularComparator


class TabularName(StrEnum):
    """Names on the command line and in tables."""

    COX = "cox"
    FOREST = "forest"
    ENSEMBLE = "ensemble"
    FONG = "fong"
    TBS = "tbs"
    KONOPKE = "konopke"
    GAME = "game"
    CONSTANT = "constant"


def build_tabular(name: TabularName | str) -> TabularComparator:
    """Return a new, unfitted model.

    Raises
    ------
    ValueError
        When there is no model of this name.
    """
    from star_core.model.comparators.constant import ConstantModel
    from star_core.model.comparators.cox import CoxModel
    from star_core.model.comparators.ensemble import EnsembleModel
    from star_core.model.comparators.forest import SurvivalForest
    from star_core.model.comparators.scores import ScoreModel

    match TabularName(name):
        case TabularName.COX:
            return CoxModel()
        case TabularName.FOREST:
            return SurvivalForest()
        case TabularName.ENSEMBLE:
            return EnsembleModel()
        case TabularName.CONSTANT:
            return ConstantModel()
        case score:
            return ScoreModel(ScoreName(score.value))
