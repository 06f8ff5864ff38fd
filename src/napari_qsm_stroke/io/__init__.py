"""Files to cases and back; nothing is computed here."""
