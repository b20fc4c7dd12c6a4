"""An exported network: a folder that answers without PyTorch."""
