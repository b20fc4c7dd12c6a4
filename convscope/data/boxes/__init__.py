"""Boxes of objects from files: Pascal VOC's XML, COCO's JSON, YOLO's text, and CSV.

Whatever a file's convention, a box here is its edges in pixels: left, top, right, bottom, where the
upright image begins at 0 and pixel (row r, column c) is the box (c, r, c + 1, r + 1), so that a
width is right - left. What each kind of file means by its numbers:

- Pascal VOC, also ImageNet's: `xmin` to `xmax` are pixels counted from 1, both inside: the edges
  are xmin - 1 and xmax. `LOC_val_solution.csv` of Kaggle has the same numbers.
- COCO: `bbox` is x, y, width, height from 0: the edges are x and x + width.
- YOLO: the center, width and height as shares of the image: the edges are (x - w/2) · width and
  (x + w/2) · width. Outlines have the smallest box around them.
- CSV: columns `xmin, ymin, xmax, ymax` (or left, top, right, bottom; x1, y1, x2, y2) are edges from
  0, and `x, y, width, height` (or x, y, w, h) are COCO's.
"""
