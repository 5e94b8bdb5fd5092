"""Cohorts of every kind behind one manifest."""
