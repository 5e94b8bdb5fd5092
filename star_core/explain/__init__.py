"""Where a forecast comes from: regions of the map and, later in the chain, attributions."""
