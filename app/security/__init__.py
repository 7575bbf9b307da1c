"""Keys, sealing, certificates, package signatures and accounts."""
