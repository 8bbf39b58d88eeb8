"""How the packaged weights were made; nothing here is needed to edit a picture."""
