"""Registration of a follow-up CT to the first one: alignment, its quality, resampling, adjustment by hand."""
