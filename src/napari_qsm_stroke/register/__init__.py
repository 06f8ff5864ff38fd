"""Alignment of images, the template and the atlas of territories."""
