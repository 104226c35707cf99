from locking.models import Fence


def test_fences_can_be_read_and_not_changed(admin_client):
    Fence.objects.create(name="render:42", fence=7)
    listed = admin_client.get("/admin/locking/fence/")
    assert b"render:42" in listed.content
    assert b"Add fence" not in listed.content
    shown = admin_client.get("/admin/locking/fence/render_3A42/change/")
    assert shown.status_code == 200
    assert b'name="_save"' not in shown.content
    assert admin_client.post("/admin/locking/fence/render_3A42/delete/").status_code == 403
