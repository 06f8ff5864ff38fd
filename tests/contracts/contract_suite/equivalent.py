"""Changes of a method that change nothing by nature, with the reason: no faults, so others count.

By method, then by what the change is called (without its line).
"""

from __future__ import annotations

EQUIVALENT: dict[str, dict[str, str]] = {}
