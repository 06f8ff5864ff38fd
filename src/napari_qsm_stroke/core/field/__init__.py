"""Signal to total field."""
