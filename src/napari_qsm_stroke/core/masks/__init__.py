"""Maps to masks: brain, veins, infarct core, territories."""
