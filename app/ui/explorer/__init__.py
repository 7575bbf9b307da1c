"""Why did it not open: the rules of the standard, and the tags of a file."""
