"""Qt only here."""
