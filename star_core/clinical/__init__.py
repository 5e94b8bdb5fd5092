"""The clinical record: its schema, its ways in, and scores in use."""
