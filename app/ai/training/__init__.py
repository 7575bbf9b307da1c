"""Generators, training and evaluation scripts that reproduce every shipped weight and figure."""
