"""Tests that every kind of image shows the answers to its questions, in both languages: python test_drawing.py."""
from batches import LENGTH, POINTED, micro_batch
from canvas import SIZE, slots
from tokens import Tokens
from varied import KINDS, varied

DERIVED = ("chart", "dialog", "calendar_leaf", "settings", "cover")  # kinds with answers that are composed, split over lines, or not letters


def test_kinds():
    for kind in KINDS:
        for chinese in (False, True):
            for seed in range(6):
                image, marks, name, language, asked = varied(seed, kind, chinese, scoring=seed % 2 == 1)
                assert name == kind.__name__ and language == ("zh" if chinese else "en") and asked
                assert min(image.size) >= 100 and (slots(marks) > 0).any()
                drawn = "".join(char for char, *_ in marks)
                for task, question, answer in asked:
                    assert question and answer and "{" not in question
                    if task in POINTED and name not in DERIVED:
                        for part in answer.split():
                            assert part in drawn or all(char in drawn for char in part), (name, question, answer, drawn)


def test_batches():
    tokens = Tokens()
    for characters_only in (False, True):
        batch = micro_batch(tokens, 20_000_000, 8, characters_only)
        assert batch["image"].shape == (8, 3, SIZE, SIZE) and batch["places"].shape[0] == 6
        if not characters_only:
            assert batch["packed"].shape == (8, 6, LENGTH)
            rows, told = batch["asked"]
            assert (told >= 0).any() and (told < tokens.vocab).all() and (rows < 8 * LENGTH).all()
    assert (micro_batch(tokens, 8, 2)["image"] == micro_batch(tokens, 8, 2)["image"]).all()


if __name__ == "__main__":
    test_kinds()
    test_batches()
    print("ok")
