"""Recordings in files: tensors and JSON, from which nothing is executed but functions of torch."""
