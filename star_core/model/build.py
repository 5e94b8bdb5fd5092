"""From the architecture on a card to the network itself."""

from __future__ import annotations

from star_core.model.config import ComparatorConfig, StarConfig
from star_core.model.star import Network, Star


def build_network(config: StarConfig | ComparatorConfig) -> Network:
    """Return a new network with random weights.

    Raises
    ------
    TrainingError
        When a comparator needs a library that is not installed.
    """
    if isinstance(config, StarConfig):
        return Star(config)
    if config.network == "cox":
        from star_core.model.comparators.cox_network import CoxNetwork

        return CoxNetwork(config)
    from star_core.model.comparators.networks import ComparatorNetwork

    return ComparatorNetwork(config)
