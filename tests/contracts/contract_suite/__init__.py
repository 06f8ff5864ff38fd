"""What the contracts of all methods share: the head, the calls, closed forms, golden numbers."""
