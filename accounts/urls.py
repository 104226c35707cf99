from django.urls import path

from . import views

app_name = "accounts"
urlpatterns = [
    path("token", views.TokenView.as_view(), name="token"),
    path("token/refresh", views.RefreshView.as_view(), name="refresh"),
    path("token/revoke", views.RevokeView.as_view(), name="revoke"),
    path("token/introspect", views.IntrospectView.as_view(), name="introspect"),
    path("logout", views.LogoutView.as_view(), name="logout"),
    path("password/change", views.PasswordView.as_view(), name="password-change"),
    path("lockouts", views.LockoutsView.as_view(), name="lockouts"),
    path("lockouts/<int:pk>/unlock", views.UnlockView.as_view(), name="unlock"),
    path("me", views.MeView.as_view(), name="me"),
    path("sessions", views.SessionsView.as_view(), name="sessions"),
    path("sessions/revoke-others", views.RevokeOthersView.as_view(), name="revoke-others"),
    path("sessions/<str:pk>", views.SessionView.as_view(), name="session"),
    path("signing-keys", views.SigningKeysView.as_view(), name="signing-keys"),
    path("signing-keys/<int:pk>", views.SigningKeyView.as_view(), name="signing-key"),
    path("signing-keys/<int:pk>/rotate", views.RotateKeyView.as_view(), name="rotate-key"),
]
