"""How good a forecast is: measures with intervals."""
