"""Settings of the project, read from the environment; README.md lists the variables.

``DATA_DIR/secrets.env`` (made once) and ``DATA_DIR/runtime.env`` (addresses of the embedded
services while ``manage.py up`` runs) fill in what the environment leaves unset.
"""

import sys
from datetime import timedelta
from urllib.parse import quote

from config import current, datadir, environment, logs, redis, secrets
from config.databases import databases

VERSION = "0.1.0"
BASE_DIR = secrets.BASE_DIR
DATA_DIR = secrets.data_dir()

env = environment.Env()
for name in ("runtime.env", "secrets.env"):
    if (DATA_DIR / name).exists():
        env.read_env(DATA_DIR / name)

DEBUG = env.bool("DEBUG", default=False)


# Secrets: four separate values

SECRETS = {name: env.str(name, default="") for name in secrets.MAKERS}
if DEBUG:
    SECRETS = {name: value or secrets.MAKERS[name]() for name, value in SECRETS.items()}
environment.check_secrets(SECRETS)
SECRET_KEY = SECRETS["SECRET_KEY"]


# Applications

INSTALLED_APPS = [
    "config.apps.MainstayConfig",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "corsheaders",
    "django_prometheus",
    "rest_framework",
    "rest_framework_simplejwt",
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "locking",
    "breaker",
    "breaker.contrib.google",
    "accounts",
    "health",
]

MIDDLEWARE = [
    "config.headers.SecurityHeadersMiddleware",
    "health.middleware.BeforeMiddleware",
    "config.cors.ExactOriginMiddleware",
    "config.requests.RequestMiddleware",
    "config.bodies.BodyMiddleware",
    "config.throttling.LimitMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "config.files.FileMiddleware",
    "config.pages.PageSessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "config.pages.PageUsers",
    "config.pages.PageMessages",
    "config.handlers.ProblemMiddleware",
    "health.middleware.AfterMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


# Serving

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
TRUSTED_PROXIES = environment.networks("TRUSTED_PROXIES", env.list("TRUSTED_PROXIES", default=[]))
THREADS = environment.positive("THREADS", env.int("THREADS", default=32))
WORKERS = environment.positive("WORKERS", env.int("WORKERS", default=2))

# A site that is reached under loopback names only has no certificate; every other one is https.
HTTPS = not set(ALLOWED_HOSTS) <= {"127.0.0.1", "localhost", "[::1]"}
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 63_072_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = False
SECURE_REFERRER_POLICY = "no-referrer"
SECURE_CROSS_ORIGIN_OPENER_POLICY = None  # config.headers sets it
X_FRAME_OPTIONS = "DENY"
# W002: the outermost middleware sets X-Frame-Options itself; W021: preloading is the site's call.
SILENCED_SYSTEM_CHECKS = ["security.W002", "security.W021"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
DEFAULT_EXCEPTION_REPORTER_FILTER = "config.debugging.Cleanser"
LOGIN_REDIRECT_URL = "/admin/"
CSRF_FAILURE_VIEW = "config.handlers.csrf_failure"

CORS_ALLOWED_ORIGINS = environment.origins(
    env.list("CORS_ALLOWED_ORIGINS", default=[]), allow_http_localhost=DEBUG or not HTTPS
)
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_CREDENTIALS = False
CORS_ALLOW_METHODS = ["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"]
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "content-digest",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "signature",
    "signature-input",
    "traceparent",
    "tracestate",
    "x-request-id",
]
CORS_EXPOSE_HEADERS = [
    "ETag",
    "Idempotent-Replay",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-ID",
]
CORS_PREFLIGHT_MAX_AGE = 600

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_ROOT = BASE_DIR / "config" / "public"
MEDIA_ROOT = DATA_DIR / "media"


# Stores

DATABASES = databases(env.str("DATABASE_URL", default=""), DATA_DIR, threads=THREADS)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

_embedded = f"unix://{quote(str(datadir.valkey_socket(DATA_DIR)))}"
CACHES = redis.caches(env.str("REDIS_URL", default="") or _embedded)


# Mail, of alerts

_mail = env.email_url("EMAIL_URL", default="smtp://127.0.0.1:25")
EMAIL_BACKEND = _mail["EMAIL_BACKEND"]
EMAIL_HOST, EMAIL_PORT = _mail["EMAIL_HOST"], _mail["EMAIL_PORT"] or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail["EMAIL_HOST_USER"], _mail["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.get("EMAIL_USE_TLS", False), _mail.get("EMAIL_USE_SSL", False)
# Seconds, for a server that does not answer.
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="mainstay@localhost")


# API

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.BearerAuthentication",
        "accounts.signing.SignatureAuthentication",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["config.limits.CallerThrottle"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["config.parsers.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.negotiation.WillingNegotiation",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    # One form of answer only, so no name in a query chooses another.
    "URL_FORMAT_OVERRIDE": None,
    "EXCEPTION_HANDLER": "config.problems.exception_handler",
}

# Requests in a minute, of one user or signing key, and of one address that is nobody's in
# particular; 0 for no limit.
RATE_LIMITS = {
    "USER": environment.count("RATE_LIMIT_USER", env.int("RATE_LIMIT_USER", default=3000)),
    "ADDRESS": environment.count("RATE_LIMIT_ADDRESS", env.int("RATE_LIMIT_ADDRESS", default=1200)),
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Mainstay",
    "DESCRIPTION": "Locks, circuit breakers, health and token security for expensive upstreams.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.1",
    "DEFAULT_GENERATOR_CLASS": "config.generator.OneAtATime",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "CircuitWord": "breaker.status.WORDS",
        "SigningKeyState": "accounts.models.KeyState",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.schema.add_problems",
    ],
}


# One dict per app

LOCKING = {
    "CACHE": "locks",
    # What generations and the locks' own probe are called: no caller over HTTP may hold these up.
    "PRIVATE": ("generation:", "locking:"),
}
BREAKER = {"CACHE": "breaker"}
HEALTH = {
    "DISK": DATA_DIR,
    "TOKENS": env.list("HEALTH_TOKENS", default=[]),
    "ALLOWED_CIDRS": env.list("HEALTH_ALLOWED_CIDRS", default=["127.0.0.0/8", "::1/128"]),
    "SERVICE_ID": "mainstay",
    "RELEASE": VERSION,
    "DRAIN_SECONDS": environment.seconds("DRAIN_SECONDS", env.str("DRAIN_SECONDS", default="0")),
    "ALERTS": {
        "WEBHOOK_URL": env.str("ALERT_WEBHOOK_URL", default=""),
        "WEBHOOK_SECRET": env.str("ALERT_WEBHOOK_SECRET", default=""),
        "EMAILS": env.list("ALERT_EMAILS", default=[]),
        "HOOK_TOKENS": env.list("ALERT_HOOK_TOKENS", default=[]),
    },
    "RUNTIME_DIR": DATA_DIR / "run" / "health",
}
ACCOUNTS = {
    "CACHE": "accounts",
    "SIGNING_KEYS": environment.signing_keys("TOKEN_SIGNING_KEYS", SECRETS["TOKEN_SIGNING_KEYS"]),
    "KEY_FILE": DATA_DIR / "secrets.env",
    "PEPPER": environment.keys("TOKEN_PEPPER", SECRETS["TOKEN_PEPPER"])[0],
    "ENCRYPTION_KEYS": environment.keys("ENCRYPTION_KEYS", SECRETS["ENCRYPTION_KEYS"]),
}
GOOGLE_AI = {
    "PROJECT": env.str("GOOGLE_CLOUD_PROJECT", default=""),
    "LOCATION": env.str("GOOGLE_CLOUD_LOCATION", default="us-central1"),
    "SIMULATOR_PORT": env.int("SIMULATOR_PORT", default=0),
    "HEADERS": current.trace_headers,
}

AUTHENTICATION_BACKENDS = ["accounts.login.LockoutBackend"]
PASSWORD_HASHERS = [
    "accounts.hashers.TunedArgon2",
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(hours=1),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=30),
    "UPDATE_LAST_LOGIN": False,
}


# The rest

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

LOGGING = logs.configuration(
    level=env.str("LOG_LEVEL", default="INFO"),
    form=env.str("LOG_FORMAT", default="text" if sys.stderr.isatty() else "json"),
)
