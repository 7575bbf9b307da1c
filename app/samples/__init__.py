"""Generated studies with known answers: one source for demo, tests and training."""
