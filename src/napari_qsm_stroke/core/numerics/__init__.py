"""Transforms, differences and solvers that every method stands on."""
