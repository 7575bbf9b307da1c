"""What a radiologist talks about: frozen dataclasses, standard library and numpy only."""
