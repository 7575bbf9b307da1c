"""Decoders of compressed frames, one adapter per library."""
