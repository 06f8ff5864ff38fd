"""Case in, case out: binding, recipes and runs."""
