"""Images that are computed: what excites a unit, a channel or a class most, and what a layer keeps.

Sources: Olah, Mordvintsev & Schubert, "Feature Visualization", Distill 2017 (the Fourier basis,
decorrelated colors, random transformations, diversity); Mahendran & Vedaldi, "Understanding Deep
Image Representations by Inverting Them", CVPR 2015 (layer inversion).
"""
