"""Datasets: read sources, remove duplicates, split by group, measure evidence, describe."""
