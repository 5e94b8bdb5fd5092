"""Finding studies: the archive's tree with search, pictures, details and timeline, and the empty state."""
