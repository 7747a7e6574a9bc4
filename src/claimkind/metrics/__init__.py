"""Metrics of predictions, their bootstrap intervals and tests; depends on NumPy and SciPy alone."""
