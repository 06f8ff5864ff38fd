"""Images for the eye: SWI and slabs."""
