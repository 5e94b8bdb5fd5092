"""The STAR network, its outcome mathematics and the bundles that carry its weights."""
