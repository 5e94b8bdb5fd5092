"""STAR Viewer: the screen, no mathematics."""
