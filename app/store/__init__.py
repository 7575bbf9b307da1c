"""The library of a workstation: SQLCipher, encrypted object files and the append-only event log."""
