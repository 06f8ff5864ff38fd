"""Accuracy, speed and memory of methods and recipes: ``python -m benchmarks --help``."""
