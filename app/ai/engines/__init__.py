"""One file per inference engine."""
