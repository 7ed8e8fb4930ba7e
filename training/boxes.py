"""Layout in ems. A box contains drawn items. Boxes are combined to columns, rows and frames."""


class Box:
    """Width, height and items. Coordinates of items are relative to the upper left corner. `Page.draw_item` lists the kinds of items."""

    __slots__ = ("w", "h", "items")

    def __init__(self, w, h, items=()):
        self.w, self.h, self.items = w, h, list(items)

    def at(self, dx, dy):
        """Returns the items at an offset."""
        moved = []
        for kind, points, *rest in self.items:
            moved.append((kind, [(x + dx, y + dy) for x, y in points], *rest))
        return moved


def rectangle(w, h, fill=None, line=None, thick=0.05, radius=0.0, x=0.0, y=0.0):
    return ("rectangle", [(x, y), (x + w, y + h)], fill, line, thick, radius)


def segment(x0, y0, x1, y1, ink=None, thick=0.05):
    return ("line", [(x0, y0), (x1, y1)], ink, thick)


def disc(x, y, radius, fill):
    return ("disc", [(x - radius, y - radius), (x + radius, y + radius)], fill)


def rule(w, h=0.3, ink=None):
    """A horizontal line with space above and below."""
    return Box(w, h, [segment(0, h / 2, w, h / 2, ink)])


def column(boxes, gap=0.0, align="left", width=0.0):
    """Places boxes in a column."""
    w, y, items = max([b.w for b in boxes] + [width]), 0.0, []
    for b in boxes:
        items += b.at({"left": 0, "middle": (w - b.w) / 2, "right": w - b.w}[align], y)
        y += b.h + gap
    return Box(w, max(0.0, y - gap), items)


def row(boxes, gap=0.0, align="middle"):
    """Places boxes in a row."""
    h, x, items = max(b.h for b in boxes), 0.0, []
    for b in boxes:
        items += b.at(x, {"top": 0, "middle": (h - b.h) / 2, "bottom": h - b.h}[align])
        x += b.w + gap
    return Box(max(0.0, x - gap), h, items)


def ends(left, right, w):
    """Places one box at the left end and one at the right end of a row of width w."""
    return Box(w, max(left.h, right.h), left.items + right.at(w - right.w, 0))


def widened(box, w):
    return Box(max(box.w, w), box.h, box.items)


def padded(box, x, y):
    return Box(box.w + 2 * x, box.h + 2 * y, box.at(x, y))


def framed(box, fill=None, line=None, thick=0.05, radius=0.0):
    return Box(box.w, box.h, [rectangle(box.w, box.h, fill, line, thick, radius), *box.items])
