"""The few controls that every screen is made of: painted from the theme, retranslated by themselves."""
