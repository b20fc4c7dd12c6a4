"""The image patches that excite each filter most, and what each filter responds to."""
