"""Keep the present numbers of methods as the golden ones.

    python tests/contracts/refresh_golden.py [NAME ...]

Refused for a method whose numbers changed while its revision did not. Where it is the head of the
contracts that changed, remove the files in ``golden`` first.
"""

from __future__ import annotations

import sys

from contract_suite.calls import COMPUTED
from contract_suite.golden import FOLDER, refresh

from napari_qsm_stroke.core.method import METHODS, get_method


def main(names: list[str]) -> int:
    """Refresh these methods, or all; files of methods that are gone go too."""
    if not names:
        for path in FOLDER.glob("*.json"):
            if path.stem not in COMPUTED:
                path.unlink()
    fine = True
    for name in names or COMPUTED:
        kept, sentence = refresh(get_method(name) if names else METHODS[name])
        fine &= kept
        print(sentence, file=sys.stdout if kept else sys.stderr)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
