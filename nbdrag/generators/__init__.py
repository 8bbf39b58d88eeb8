"""From latents to pictures: generators, their checkpoints, and the zoo of known ones."""
