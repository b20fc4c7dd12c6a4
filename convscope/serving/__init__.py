"""`serve`: an exported network behind HTTP. PyTorch is never imported here."""
