"""The steps of the chest film reader, one module each."""
