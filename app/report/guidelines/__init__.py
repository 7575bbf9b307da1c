"""Guideline rules as dated data, and the proposal with its trace that they give for facts that a person has accepted."""
