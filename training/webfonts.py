"""Converts web fonts of npm packages to TrueType files: python webfonts.py NODE_MODULES FOLDER.

`@fontsource/*` has one file per weight for Latin faces. A Chinese face has about a hundred files with a part of the characters
each, which are merged into one file.
"""
import sys
from pathlib import Path

from fontTools.merge import Merger, Options
from fontTools.ttLib import TTFont

WEIGHTS = (300, 400, 500, 700, 900)
KEPT = {"head", "hhea", "maxp", "OS/2", "hmtx", "cmap", "loca", "glyf", "name", "post", "prep", "fpgm", "cvt "}


def latin(modules, folder):
    for package in sorted(modules.glob("@fontsource/*")):
        for weight in WEIGHTS:
            file = package / "files" / f"{package.name}-latin-{weight}-normal.woff2"
            if file.exists():
                font = TTFont(file)
                font.flavor = None
                font.save(folder / f"{package.name}-{weight}.ttf")


def slices(modules):
    """Returns the name of a Chinese face and its files."""
    for package in sorted(modules.glob("@chinese-fonts/*")):
        for face in sorted(p for p in (package / "dist").glob("*") if p.is_dir()):
            yield package.name, sorted(face.glob("*.woff2"))
    package = modules / "@fontsource" / "zcool-qingke-huangyou"
    yield package.name, sorted((package / "files").glob("*-400-normal.woff2"))


def merged(files, target):
    """Merges files that have no character in common into one TrueType file."""
    parts = []
    for i, file in enumerate(files):
        font = TTFont(file)
        font.flavor = None
        for tag in [t for t in font.keys() if t not in KEPT and t != "GlyphOrder"]:
            del font[tag]
        part = target.with_name(f"{target.stem}.part{i}.ttf")
        font.save(part)
        parts.append(part)
    Merger(options=Options(drop_tables=["vhea", "vmtx"])).merge([str(p) for p in parts]).save(target)
    for part in parts:
        part.unlink()


def main(modules, folder):
    folder.mkdir(parents=True, exist_ok=True)
    latin(modules, folder)
    for name, files in slices(modules):
        target = folder / f"zh-{name}.ttf"
        if files and not target.exists():
            try:
                merged(files, target)
                print(target)
            except Exception as error:  # skip a face in another format; faces.py uses the installed ones
                print(f"left out {name}: {error!r}", file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
