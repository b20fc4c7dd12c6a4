"""What a trained network's probabilities are worth, and what it answers by them: chosen on
validation images, measured on others, kept in the card of the run.
"""
