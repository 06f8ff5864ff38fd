"""The docks, in the order of the work."""
