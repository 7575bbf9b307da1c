"""Steps of the second reader for chest CT."""
