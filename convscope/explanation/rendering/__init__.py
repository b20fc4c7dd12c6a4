"""An explanation as blocks, and blocks as text or HTML."""
