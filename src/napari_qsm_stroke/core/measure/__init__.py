"""Maps and masks to numbers by region."""
