"""The only package that knows SQLite: one writer, an append-only event log, encrypted object files."""
