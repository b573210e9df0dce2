"""All settings, from the environment (`.env.example` says what each variable means).

What is safe on a developer's machine is the default when `CARBON_ENV=local`; elsewhere `carbon_site.checks` refuses to start without it.
"""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ

from carbon_site.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
env.read_env(BASE_DIR / ".env")

# --- Where we are -----------------------------------------------------------------------------------------------------

CARBON_ENV = env.str("CARBON_ENV", default="local")
LOCAL = CARBON_ENV == "local"
STATE_DIR = (BASE_DIR / env.str("CARBON_STATE_DIR", default=".local")).resolve()
INSECURE_KEY = "insecure-and-only-for-a-developers-own-machine"
SECRET_KEY = env.str("SECRET_KEY", default="") or INSECURE_KEY
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if LOCAL else [])
CORS_EXPOSE_HEADERS = [
    "X-Request-ID",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
]
CORS_ALLOW_HEADERS = ["accept", "authorization", "content-type", "idempotency-key", "x-request-id"]
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=["http://localhost:3000"] if LOCAL else [])

# --- Services that `manage.py up` starts where none is configured -----------------------------------------------------


ELSEWHERE = {  # where `up` has not written an address: nobody listens, or the world
    "database": f"postgresql://nobody@/carbon?host={STATE_DIR}",
    "owner": f"postgresql://nobody@/carbon?host={STATE_DIR}",
    "redis": f"unix://{STATE_DIR}/redis.sock",
    "openai": "https://api.openai.com/v1",
    "clerk": "",
    "parties": "",
    "site": "http://localhost:8000",
}
OF_A_DEVELOPER = {"openai", "clerk", "parties", "site"}


def running(service: str) -> str:
    """The address of what `up` started, as it wrote it down; of the sandbox and the site only on a developer's machine."""
    if service in OF_A_DEVELOPER and not LOCAL:
        return ELSEWHERE[service]
    try:
        return str(json.loads((STATE_DIR / "services.json").read_text())[service])
    except (OSError, ValueError, KeyError):
        return ELSEWHERE[service]


PUBLIC_BASE_URL = (env.str("PUBLIC_BASE_URL", default="") or running("site")).rstrip("/")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[PUBLIC_BASE_URL] if LOCAL else [])
DATABASE_URL = env.str("DATABASE_URL", default="") or running("database")
DATABASE_OWNER_URL = env.str("DATABASE_OWNER_URL", default="") or (
    DATABASE_URL if env.str("DATABASE_URL", default="") else running("owner")
)
REDIS_URL = env.str("REDIS_URL", default="") or running("redis")
WEB_THREADS = env.int("WEB_THREADS", default=8)
WORKER_MAX_JOBS = env.int("WORKER_MAX_JOBS", default=24)
DATABASE_POOL = env.int("DATABASE_POOL", default=WEB_THREADS)


def forget_organization(connection: Any) -> None:
    """What a pooled connection must not carry to its next borrower (row-level security, `projects/tenancy.py`)."""
    connection.execute(
        "RESET carbon.organization; RESET carbon.every_organization; SELECT pg_advisory_unlock_all()"
    )
    connection.commit()


def database(url: str, **options: Any) -> dict[str, Any]:
    config: dict[str, Any] = env.db_url_config(url) | {"CONN_HEALTH_CHECKS": True}
    config["OPTIONS"] = config.get("OPTIONS", {}) | options
    return config


# No statement of ours takes longer; one that does is a mistake, or asks for nobody who still listens.
LIMITS = f"-c statement_timeout={env.int('STATEMENT_TIMEOUT_MS', default=45_000)}"
ROLE = " -c role=carbon_app"  # whoever logs in; a login that may not take it on is refused
DATABASES = {
    "default": database(
        DATABASE_URL,
        pool={"min_size": 1, "max_size": DATABASE_POOL, "timeout": 5, "reset": forget_organization},
        options=LIMITS + ROLE,
    ),
    # Has the tables: `migrate` and the set-up of tests, nothing else.
    "owner": database(DATABASE_OWNER_URL) | {"TEST": {"MIRROR": "default"}},
}

# --- What there is ----------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "carbon_site",  # first: its `migrate` runs as the owner of the tables
    "projects",
    "connections",
    "telemetry",
    "emissions",
    "billing",
    "receipts",
    "audit",
    "unfold.apps.BasicAppConfig",
    "carbon_site.staff.apps.StaffConfig",  # django.contrib.admin, with our site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "carbon_site.requests.request_id",
    "carbon_site.health.probes",  # before host checks and redirects: a load balancer calls by address
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "carbon_site.urls"
WSGI_APPLICATION = None
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
LANGUAGE_CODE, USE_TZ, TIME_ZONE = "en-gb", True, "UTC"

# --- Files, secrets, people ------------------------------------------------------------------------------------------------

STATIC_URL, STATIC_ROOT = "/static/", BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = LOCAL
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": STATE_DIR / "files",
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
CLERK_ISSUER = (env.str("CLERK_ISSUER", default="") or running("clerk")).rstrip("/")
CLERK_JWKS_URL = env.str("CLERK_JWKS_URL", default="")
CLERK_AUTHORIZED_PARTIES = env.list("CLERK_AUTHORIZED_PARTIES", default=[]) or running("parties").split()
OPENAI_BASE_URL = env.str("OPENAI_BASE_URL", default="") or running("openai")
RECEIPT_SIGNING_KEY = env.str("RECEIPT_SIGNING_KEY", default="")
LOG_SIGNING_KEY = env.str("LOG_SIGNING_KEY", default="")
SECRET_STORE = env.str("SECRET_STORE", default="local")
SECRET_STORE_KEY = env.str("SECRET_STORE_KEY", default="")

# --- Requests ---------------------------------------------------------------------------------------------------------

MAX_BODY = env.int("MAX_BODY_BYTES", default=2 << 20)
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY
TRUSTED_PROXIES = env.int(
    "TRUSTED_PROXIES", default=0
)  # how many addresses of X-Forwarded-For our own proxies wrote
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = not LOCAL
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_HSTS_SECONDS = 0 if LOCAL else 31_536_000
SECURE_REFERRER_POLICY = "same-origin"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["projects.auth.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["projects.auth.RolePermission"],
    "DEFAULT_PARSER_CLASSES": ["carbon_site.requests.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "carbon_site.pagination.CursorPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "URL_FORMAT_OVERRIDE": None,  # who wants a PDF says so in Accept, and nowhere else
    "EXCEPTION_HANDLER": "carbon_site.api.problem_response",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Carbon of inference",
    "DESCRIPTION": "Usage of AI models, its energy and CO2e with honest bounds, and proof of what was retired for it.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"persistAuthorization": True},
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": ["carbon_site.schema.describe_problems"],
}

# --- Rules with a number ----------------------------------------------------------------------------------------------

ADDRESS_REQUESTS_PER_MINUTE = env.int("ADDRESS_REQUESTS_PER_MINUTE", default=600)
ADDRESS_FAILED_CREDENTIALS_PER_MINUTE = env.int("ADDRESS_FAILED_CREDENTIALS_PER_MINUTE", default=20)
CLOSE_PERIOD_AFTER = timedelta(hours=env.int("CLOSE_PERIOD_AFTER_HOURS", default=48))
IDEMPOTENCY_KEPT = timedelta(hours=24)
JOBS_KEPT = timedelta(days=30)

# --- What operators see -----------------------------------------------------------------------------------------------

OPS_TOKEN = env.str("OPS_TOKEN", default="")
LOGGING_CONFIG = None  # structlog and the standard library through one door
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOG_FORMAT = env.str("LOG_FORMAT", default="console" if LOCAL else "json")
logging_config(level=LOG_LEVEL, form=LOG_FORMAT)
UNFOLD = {"SITE_TITLE": "Carbon of inference", "SITE_HEADER": "Carbon of inference", "SITE_SYMBOL": "eco"}
