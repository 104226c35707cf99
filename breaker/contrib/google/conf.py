from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings


class Service(StrEnum):
    IMAGEN = "imagen"
    VEO = "veo"
    VERTEX = "vertex"


HOST = "aiplatform.googleapis.com"
# Kept on top of the limit of a call for storing what came back.
STORING_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The ``GOOGLE_AI`` setting.

    ``*_models`` are the models callers may name; the first is the default.
    ``*_seconds`` limit one upstream exchange from first byte sent to last byte read, without what
    the reader of a stream does meanwhile, unless a comment says otherwise.
    """

    project: str = ""
    location: str = "us-central1"
    # Used while ``project`` is empty; 0 means there is none.
    simulator_port: int = 0
    # What each call carries besides what the SDK sends: the trace that it belongs to, for instance.
    # Called anew for each, where the caller is.
    headers: Callable[[], Mapping[str, str]] = dict

    imagen_models: tuple[str, ...] = (
        "imagen-4.0-generate-001",
        "imagen-4.0-fast-generate-001",
        "imagen-4.0-ultra-generate-001",
        "gemini-2.5-flash-image",
    )
    veo_models: tuple[str, ...] = (
        "veo-3.1-generate-001",
        "veo-3.1-fast-generate-001",
        "veo-3.1-lite-generate-001",
    )
    vertex_models: tuple[str, ...] = (
        "gemini-2.5-flash",
        "gemini-2.5-flash-lite",
        "gemini-2.5-pro",
    )

    imagen_seconds: float = 60.0
    vertex_seconds: float = 60.0
    vertex_stream_seconds: float = 300.0
    veo_submit_seconds: float = 30.0
    # The last poll carries the film itself.
    veo_poll_seconds: float = 60.0
    # A film still unfinished so long after its order never will be.
    veo_abandon_seconds: float = 86_400.0

    def models(self, service: Service) -> tuple[str, ...]:
        match service:
            case Service.IMAGEN:
                return self.imagen_models
            case Service.VEO:
                return self.veo_models
            case Service.VERTEX:
                return self.vertex_models

    def hold_seconds(self, service: Service) -> float:
        """How long a living worker may keep a generation to itself, even if it hangs."""
        match service:
            case Service.IMAGEN:
                limit = self.imagen_seconds
            case Service.VEO:
                limit = max(self.veo_submit_seconds, self.veo_poll_seconds)
            case Service.VERTEX:
                limit = self.vertex_seconds
        return limit + STORING_SECONDS


def conf() -> Settings:
    return Settings(
        **{key.lower(): value for key, value in getattr(settings, "GOOGLE_AI", {}).items()}
    )
