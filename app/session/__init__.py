"""What is open now, and the verbs. No Qt."""
