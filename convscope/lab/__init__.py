"""The page in which a person looks inside a network: Python computes, the page shows."""
