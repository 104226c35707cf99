"""Imagen, Veo and Gemini behind circuit breakers, and the generations API over them.

    from breaker.contrib.google import imagen, veo, vertex

The three are plain submodules: the SDK costs a second to import, so nothing here pulls it in.
"""

__all__ = ["imagen", "veo", "vertex"]
