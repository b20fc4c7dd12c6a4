"""Boxes: their geometry, how a network's outputs stand for them, and which of them are right.

A box is its corners (left, top, right, bottom) as real numbers: left and top are where its first
pixel begins, right and bottom where its last one ends. So pixel (row r, column c) is the box
(c, r, c + 1, r + 1), a width is right - left, and no 1 is added anywhere.
"""
