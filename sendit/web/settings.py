"""The settings of the web process: sendit's settings with its own URLs, middleware and templates."""

from __future__ import annotations

from urllib.parse import urlsplit

from sendit.settings import *  # noqa: F403
from sendit.settings import ALLOWED_HOSTS as OF_THIS_MACHINE
from sendit.settings import SITE

ROOT_URLCONF = "sendit.web.urls"
MIDDLEWARE = [
    "sendit.web.headers.HeadersMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "sendit.web.proxy_users.ProxyUserMiddleware",
    "sendit.web.sessions.SessionEndMiddleware",
    "sendit.web.access.AccessMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": ["django.template.context_processors.request", "sendit.web.context.of_every_page"],
        },
    }
]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# Behind a proxy, the name and the scheme that browsers see.
_PROXY = urlsplit(SITE.web_url)
ALLOWED_HOSTS = [*OF_THIS_MACHINE, *([_PROXY.hostname] if _PROXY.hostname else [])]
CSRF_TRUSTED_ORIGINS = [SITE.web_url] if SITE.web_url else []
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _PROXY.scheme == "https"
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "sendit_session", "sendit_csrf"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
CSRF_FAILURE_VIEW = "sendit.web.failures.stranger"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
# A file that is sent with a form may identify, and so is never written to a temporary file.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
FILE_UPLOAD_MAX_MEMORY_SIZE = 5_000_000
LANGUAGE_CODE = "en"
USE_I18N = False
LOGGING_CONFIG = None
"""sendit's own events are the only log: Django's lines would quote addresses."""
