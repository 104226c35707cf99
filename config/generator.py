"""The writer of the OpenAPI document."""

from threading import Lock
from typing import Any

from drf_spectacular.generators import SchemaGenerator

_writing = Lock()


class OneAtATime(SchemaGenerator):
    """Two threads that make the library load its extensions at once trip over each other."""

    def get_schema(self, *arguments: Any, **options: Any) -> Any:
        with _writing:
            return super().get_schema(*arguments, **options)  # type: ignore[no-untyped-call]
