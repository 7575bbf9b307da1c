"""Keys, seals, certificates, accounts and what must never reach a log."""
