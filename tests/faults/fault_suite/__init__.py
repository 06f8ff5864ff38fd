"""What the tests of bad input share."""
