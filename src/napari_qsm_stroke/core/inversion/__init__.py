"""Local field to susceptibility."""
