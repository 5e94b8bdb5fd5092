"""The four linked views: three slices and one solid view of the same patient."""
