"""Editing of structures: brush, shapes, remnant; each edit is a patch that can be taken back."""
