"""Measuring models, with intervals, and setting them side by side."""
