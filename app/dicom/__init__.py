"""The only package that knows pydicom, highdicom and pynetdicom objects."""
