"""The kinds of varied images. Each maker takes (page, say, load) and returns a box and [(task, question, answer)].

`load` between 0.2 and 1 says how much text; it falls until the letters are large enough to be read.
"""
