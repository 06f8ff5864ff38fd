"""The physics: arrays in, arrays out. No files, no windows, no threads of its own."""
