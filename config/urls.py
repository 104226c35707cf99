from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularSwaggerSplitView

from accounts.admin.login import LoginForm, login_page, logout_page
from config.document import DocumentView
from config.routes import below

admin.site.site_header = admin.site.site_title = "Mainstay"
admin.site.index_title = "Operations"
admin.site.site_url = "/api/docs"
admin.site.login_form = LoginForm
OPERATIONS = "admin:health_operations_changelist"

api: list[URLPattern | URLResolver] = [
    path("auth/", include("accounts.urls")),
    path("", include("breaker.contrib.google.urls")),
    path("", include("breaker.urls")),
    path("", include("locking.urls")),
]
urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="docs")),
    path("admin/login/", login_page),
    path("admin/logout/", logout_page),
    path("admin/operations/", RedirectView.as_view(pattern_name=OPERATIONS)),
    path("admin/", admin.site.urls),
    path("api/schema", DocumentView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path(".well-known/", include("accounts.urls_wellknown")),
    path("api/alerts/", include("health.urls")),
    below("api/v1/", api),
]

handler400 = "config.handlers.bad_request"
handler403 = "config.handlers.permission_denied"
handler404 = "config.handlers.page_not_found"
handler500 = "config.handlers.server_error"
