"""The only place of Qt and napari."""
