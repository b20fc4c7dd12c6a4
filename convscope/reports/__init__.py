"""The report of a network: one page, without scripts, readable offline; JSON; a model card."""
