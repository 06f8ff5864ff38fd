"""What is known about one examination: frozen facts."""
