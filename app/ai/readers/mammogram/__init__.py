"""The steps of the mammography reader, one module each."""
