"""Scoring documents and rows with a saved model."""
