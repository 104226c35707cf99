import pytest
from django.contrib.auth.models import User
from django.test import Client

from breaker.contrib.google.models import Generation, GenerationResult

pytestmark = pytest.mark.django_db


@pytest.fixture
def generation(user: User) -> Generation:
    generation = Generation.objects.create(
        user=user, idempotency_key="k", request_digest="d", service="imagen",
        model="imagen-4.0-generate-001", prompt="a secret lighthouse", status="succeeded",
    )  # fmt: skip
    GenerationResult.objects.create(
        generation=generation, n=0, media_type="image/png", size=1, file="x.png"
    )
    return generation


def test_prompts_are_shown_on_the_page_of_one_generation_only(
    client: Client, operator: User, generation: Generation
) -> None:
    client.force_login(operator)
    listed = client.get("/admin/google/generation/").content.decode()
    shown = client.get(f"/admin/google/generation/{generation.pk}/change/").content.decode()
    assert str(generation.pk) in listed
    assert "secret lighthouse" not in listed
    assert "secret lighthouse" in shown


@pytest.mark.parametrize("page", ["add/", "{pk}/delete/"])
def test_records_of_payment_are_neither_made_up_nor_removed(
    client: Client, operator: User, generation: Generation, page: str
) -> None:
    client.force_login(operator)
    response = client.get(f"/admin/google/generation/{page.format(pk=generation.pk)}")
    assert response.status_code == 403
