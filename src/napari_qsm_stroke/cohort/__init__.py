"""Many cases: what is there to do, doing it, what was done."""
