"""Total field to local field."""
