"""Magnitude to R2*."""
