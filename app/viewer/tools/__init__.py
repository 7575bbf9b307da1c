"""One file per tool; found by walking this package."""
