"""Report text, PDF and signature."""
