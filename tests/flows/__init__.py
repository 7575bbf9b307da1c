"""The whole path through the real window, and what must hold around it."""
