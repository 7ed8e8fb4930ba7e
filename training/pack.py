"""Copies the files that drawing needs to one small folder, for a machine without a network: python pack.py FOLDER.

The folder gets the word lists and the faces, reduced to the characters that are drawn (about 25 MB instead of 2 GB). Set
DEMO_FONTS to the folder on that machine.
"""
import json
import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

import canvas
import faces
from strings import chinese_words, english_words
from words import ALPHABET


def cut(file, target, index=0):
    """Reduces a face to our characters, without its layout tables."""
    font = TTFont(file, fontNumber=index)
    options = subset.Options(layout_features=[], notdef_outline=True, hinting=False, drop_tables=["GSUB", "GPOS", "GDEF", "vhea", "vmtx", "DSIG"])
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=[32, *(ord(char) for char in ALPHABET if char), *range(0xA0, 0x100)])
    cutter.subset(font)
    font.save(target)


def main(folder):
    (folder / "ttf").mkdir(parents=True, exist_ok=True)
    wanted = {name: files for name, files in faces.installed().items() if name in {*faces.COMMON, *faces.OTHERS, *faces.SCORING, *faces.CHINESE, *faces.SCORING_CHINESE}}
    plain = {name: [str(canvas.font_files()[name])] for name in canvas.LATIN + canvas.CHINESE}
    for name, files in (wanted | plain).items():
        for file in map(Path, files):
            target = folder / "ttf" / f"{file.stem}.{'otf' if file.suffix == '.otf' else 'ttf'}"
            if not target.exists():
                try:
                    cut(file, target, 2 if "CJK" in name and file.suffix == ".ttc" else 0)
                except Exception as error:
                    print(f"left out {file.name}: {error!r}", file=sys.stderr)
    (folder / "words.json").write_text(json.dumps({"english": english_words(), "chinese": chinese_words()}, ensure_ascii=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
