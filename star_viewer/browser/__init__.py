"""Finding studies: the series of a folder, and the empty state."""
