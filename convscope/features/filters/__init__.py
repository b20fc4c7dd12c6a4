"""The weights of filters as pictures, with norms and twins."""
