"""Raw echoes to a clean complex signal."""
