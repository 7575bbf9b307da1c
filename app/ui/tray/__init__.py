"""What waits to be sent, what is proven, what needs a person."""
