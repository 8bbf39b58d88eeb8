"""From photos to latents."""
