"""The kinds of varied images. Each function takes (page, say, load) and returns a box and [(task, question, answer)].

`load`, from 0.2 to 1, is the amount of text. It is reduced until the letters are large enough to be read.
"""
