"""The phase offset of the raw echoes."""
