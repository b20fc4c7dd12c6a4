"""Programs beside the tests, which need Keras."""

collect_ignore = ["keras_sweep.py"]
