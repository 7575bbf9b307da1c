"""What waits to be read, who has read what, and where it went."""
