"""How good a network is: counted once over every image, by class, with intervals."""
