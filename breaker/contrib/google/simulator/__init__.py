"""Vertex AI's REST shapes for Imagen, Veo and Gemini, played by a small threaded WSGI program.

The real SDK talks to it; only the base URL differs. It can be told to fail in every way the
product promises to survive, and it counts what Google would have charged for.
Imports neither Django nor the SDK.
"""

from .server import Simulator

__all__ = ["Simulator"]
