"""Resampling, masks, registration: arrays and geometry in, arrays out."""
