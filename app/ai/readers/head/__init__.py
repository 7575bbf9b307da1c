"""Parts of the head reader: where the head lies, its slices as network input, what was outlined."""
