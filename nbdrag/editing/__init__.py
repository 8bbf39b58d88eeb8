"""Editing methods: a generator, a latent and a wish in; an iterator of steps out."""
