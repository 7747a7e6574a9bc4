"""Benchmarks of quality, speed and memory that anyone can repeat."""
