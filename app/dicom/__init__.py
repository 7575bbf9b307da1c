"""The only package that knows pydicom and highdicom objects."""
