"""Latent to image: the networks and their files."""
