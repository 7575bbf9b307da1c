"""The settings sheet: what a person at this PC may choose, and what the site has fixed."""
