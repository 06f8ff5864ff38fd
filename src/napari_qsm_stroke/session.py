"""One interactive case: what is open now. No Qt, no threads."""
