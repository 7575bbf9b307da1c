"""One file per second reader."""
