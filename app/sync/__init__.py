"""Offline-first outbox and its targets."""
