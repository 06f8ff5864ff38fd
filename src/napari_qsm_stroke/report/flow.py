"""Pages of a PDF: text and figures one below the other, and on to the next page.

Lengths are in mm from the top left corner of an A4 page, sizes of letters in points.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextToPath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

WIDTH, HEIGHT = 210.0, 297.0
MARGIN = 12.0
BOTTOM = 20.0
TEXT_WIDTH = WIDTH - 2 * MARGIN
MM_PER_POINT = 25.4 / 72
LEADING = 1.38
INK = "#1c1c1c"
GREY = "#5f6368"
RULE = "#d0d3d7"


class Page:
    """One A4 page."""

    def __init__(self) -> None:
        self.figure = Figure(figsize=(WIDTH / 25.4, HEIGHT / 25.4), facecolor="white")
        FigureCanvasAgg(self.figure)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        colour: str = INK,
        weight: str = "normal",
        align: str = "left",
    ) -> None:
        """Write one line with its base at ``y``."""
        self.figure.text(
            x / WIDTH,
            1 - y / HEIGHT,
            printable(text),
            fontsize=size,
            color=colour,
            weight=weight,
            ha=align,
            va="baseline",
            parse_math=False,
        )

    def line(self, y: float, colour: str = RULE, width: float = 0.6) -> None:
        """Draw a rule from margin to margin."""
        ends = (MARGIN / WIDTH, 1 - MARGIN / WIDTH)
        place = 1 - y / HEIGHT
        self.figure.add_artist(Line2D(ends, (place, place), color=colour, lw=width))

    def box(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """Fill a rectangle whose top left corner is at (x, y)."""
        corner = (x / WIDTH, 1 - (y + height) / HEIGHT)
        self.figure.add_artist(
            Rectangle(corner, width / WIDTH, height / HEIGHT, facecolor=colour, edgecolor="none")
        )

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Make axes whose top left corner is at (x, y)."""
        return self.figure.add_axes(
            (x / WIDTH, 1 - (y + height) / HEIGHT, width / WIDTH, height / HEIGHT)
        )


class Flow:
    """Writes from the top down and turns the page where it is full."""

    def __init__(self) -> None:
        self.pages = [Page()]
        self.y = MARGIN

    @property
    def page(self) -> Page:
        """The page that is being written."""
        return self.pages[-1]

    def turn(self) -> None:
        """Start a page."""
        self.pages.append(Page())
        self.y = MARGIN

    def room_for(self, height: float) -> None:
        """Start a page where ``height`` does not fit on this one."""
        if self.y + height > HEIGHT - BOTTOM and self.y > MARGIN:
            self.turn()

    def heading(self, text: str, size: float = 10.5, follow: float = 12.0) -> None:
        """Write a heading, never alone at the foot of a page."""
        self.y += 3.0
        self.room_for(size * MM_PER_POINT * LEADING + follow)
        self.y += size * MM_PER_POINT
        self.page.text(MARGIN, self.y, text, size, weight="bold")
        self.y += 2.0

    def paragraph(
        self,
        text: str,
        size: float = 8.0,
        *,
        colour: str = INK,
        weight: str = "normal",
        bullet: str = "",
    ) -> None:
        """Write a paragraph over the whole width, with a bullet before it where given."""
        step = size * MM_PER_POINT * LEADING
        indent = (4.0 if len(bullet) == 1 else 6.5) if bullet else 0.0
        for part in wrapped(text, size, TEXT_WIDTH - indent, weight):
            self.room_for(step)
            self.y += step
            base = self.y - 0.25 * step
            if bullet:
                self.page.text(MARGIN, base, bullet, size, colour=colour)
                bullet = ""
            self.page.text(MARGIN + indent, base, part, size, colour=colour, weight=weight)
        self.y += 0.6

    def bullets(self, items: Sequence[str], size: float = 8.0) -> None:
        """Write a list."""
        for item in items:
            self.paragraph(item, size, bullet="•")

    def finish(self, footer: str, name: str) -> list[Figure]:
        """Write the footer and the page number on every page, and return the pages."""
        for number, page in enumerate(self.pages, start=1):
            page.line(HEIGHT - 16)
            place = f"{name}   page {number} of {len(self.pages)}"
            room = TEXT_WIDTH - measured(place, 7) - 6
            for i, part in enumerate(wrapped(footer, 7, room, "bold")):
                page.text(MARGIN, HEIGHT - 12 + i * 3.4, part, 7, weight="bold")
            page.text(WIDTH - MARGIN, HEIGHT - 12, place, 7, colour=GREY, align="right")
        return [page.figure for page in self.pages]


def wrapped(text: str, size: float, width: float, weight: str = "normal") -> list[str]:
    """Break a text into lines of at most ``width``; a word that is too long is broken too."""
    lines: list[str] = []
    line = ""
    for word in printable(text).split():
        longer = f"{line} {word}".strip()
        if measured(longer, size, weight) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        while measured(word, size, weight) > width:
            fits = (n for n in range(len(word), 1, -1) if measured(word[:n], size, weight) <= width)
            cut = next(fits, 1)
            lines.append(word[:cut])
            word = word[cut:]
        line = word
    return [*lines, line] if line else lines


def measured(text: str, size: float, weight: str = "normal") -> float:
    """Width of one line in mm."""
    space = _width("x x", weight) - _width("xx", weight)
    words = text.split(" ")
    points = sum(_width(word, weight) for word in words) + space * (len(words) - 1)
    return points * size * MM_PER_POINT


@lru_cache(maxsize=4096)
def _width(word: str, weight: str) -> float:
    """Width of a word in letters of one point; measuring takes longer than all the rest."""
    font = FontProperties(size=100, weight=weight)
    width, _, _ = TextToPath().get_text_width_height_descent(word, font, ismath=False)
    return float(width) / 100


def printable(text: str) -> str:
    """Return the text with what the font cannot draw as question marks."""
    known = _letters()
    return "".join(c if ord(c) in known or c.isspace() else "?" for c in text)


@lru_cache(maxsize=1)
def _letters() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties())).get_charmap())
