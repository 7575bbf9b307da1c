"""Allow-listed network architectures, one file per family; torch is imported here (worker side only)."""
