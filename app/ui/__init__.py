"""Qt only here."""

from app.ui.responsive import spare_imports

spare_imports()
