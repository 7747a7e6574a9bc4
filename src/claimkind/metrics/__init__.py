"""Figures of predictions with their intervals; NumPy and SciPy alone."""
