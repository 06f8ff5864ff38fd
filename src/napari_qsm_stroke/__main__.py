"""``python -m napari_qsm_stroke`` is ``qsm-stroke``."""

import sys

from napari_qsm_stroke.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
