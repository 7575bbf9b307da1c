"""One file per storage target."""
