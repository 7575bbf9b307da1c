"""One module per second reader, named like the reader, with ``evaluate(folder, split, package) -> Figures``."""
