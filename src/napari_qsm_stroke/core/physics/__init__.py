"""Constants, kernels and the forward model: from susceptibility to the measured signal."""
