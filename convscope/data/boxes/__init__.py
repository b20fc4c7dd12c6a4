"""Boxes of objects from files: Pascal VOC's XML and COCO's JSON.

Whatever a file's convention, a box here is its edges in pixels: left, top, right, bottom, where the
image begins at 0 and pixel (row r, column c) is the box (c, r, c + 1, r + 1).
"""
