"""The tokenizer of the demo model: it splits text like Llama 3, and has bytes, common Chinese characters and the words of the questions."""
import json
from pathlib import Path

from tokenizers import Tokenizer

SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPECIAL = ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>", "<|eot_id|>"]
BOS, EOS, PAD, EOT = 0, 1, 2, 4  # indices of the special tokens, which are at the end of the vocabulary
WORDS = """What does the sign say is written here Read text line on first second third fourth fifth sixth last How many
lines of are there in picture A that says much price total date tax name shop Which receipt from items item with title
form fields table rows value one highest lowest values bar line chart bars points color shape shapes Is a an red blue
green yellow black purple orange white circle circles square squares triangle triangles star stars and yes no
phone city age code room order seat gate flight size type street weight team school time level model brand
it this image photo can you tell me see number""".split()
# Words of the varied images' questions. The order of all lists is the order of the vocabulary: append only.
MORE = """Can Tell me Please please Transcribe written words shown below biggest large small text main does list heading called item after
comes thing top bottom last number Who When Where Whose Which seventh cost costs much amount pay date receipt store place
What's phone call telephone person's next column have column for bullet point author wrote book subtitle under sold product
being sale old before message dialog window button left right event start take largest smallest least most highest lowest
has value chart about categories points tallest bar far distance street called given person card message day"""
MORE = [w for w in dict.fromkeys(MORE.split()) if w not in WORDS]


def byte_names():
    """The printable character for each byte in byte-level BPE."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    names, extra = {b: chr(b) for b in keep}, 0
    for b in range(256):
        if b not in names:
            names[b], extra = chr(256 + extra), extra + 1
    return names


def chinese():
    """The 3,755 characters of the first level of GB 2312, and Chinese punctuation."""
    level = [bytes((0xA0 + row, 0xA0 + cell)) for row in range(16, 56) for cell in range(1, 95)]
    return list("，。？！：；（）、￥《》“”") + [c for c in (b.decode("gb2312", "ignore") for b in level) if c]


def build():
    """Returns the tokenizer.json as a dictionary. The size of its vocabulary is a multiple of 64."""
    names = byte_names()
    vocab = {names[b]: b for b in range(256)}
    merges = []

    def merge(a, b):
        if a + b not in vocab:
            vocab[a + b] = len(vocab)
            merges.append([a, b])
        return a + b

    for char in dict.fromkeys(chinese()):
        data = [names[b] for b in char.encode()]
        merge(merge(data[0], data[1]), data[2])
    for word in ["Question", " Answer", *WORDS, *(" " + w for w in WORDS), *MORE, *(" " + w for w in MORE)]:
        vocab.setdefault("".join(names[b] for b in word.encode()), len(vocab))  # found as a whole, because of ignore_merges
    special = list(SPECIAL)
    while (len(vocab) + len(special)) % 64:
        special.append(f"<|reserved_special_token_{len(special) - 3}|>")
    added = [{"id": len(vocab) + i, "content": s, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
             for i, s in enumerate(special)]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": True, "vocab": vocab, "merges": merges},
    }


class Tokens:
    """Encodes prompts and answers. `vocab`, `bos`, `eos`, `pad` and `eot` are written to config.json."""

    def __init__(self):
        self.json = build()
        self.tokenizer = Tokenizer.from_str(json.dumps(self.json))
        self.vocab = self.tokenizer.get_vocab_size()
        first = self.json["added_tokens"][0]["id"]
        self.bos, self.eos, self.pad, self.eot = (first + i for i in (BOS, EOS, PAD, EOT))
        self.known = {}

    def encode(self, text):
        return self.spans(text)[0]

    def spans(self, text):
        """Returns ids, and for each id the number of characters before it, without spaces."""
        if text not in self.known:
            if len(self.known) > 20000:
                self.known.clear()
            whole = self.tokenizer.encode(text, add_special_tokens=False)
            self.known[text] = whole.ids, [len(text[:start].replace(" ", "")) for start, _ in whole.offsets]
        return self.known[text]

    def decode(self, ids):
        return self.tokenizer.decode(ids)

    def save(self, folder):
        Path(folder, "tokenizer.json").write_text(json.dumps(self.json, ensure_ascii=False))
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": True, "bos_token": SPECIAL[0],
                  "eos_token": SPECIAL[1], "pad_token": SPECIAL[2], "model_max_length": 2048}
        Path(folder, "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
