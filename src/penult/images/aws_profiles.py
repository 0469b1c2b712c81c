"""The profiles of AWS's files, as far as they hold keys themselves.

What a login, a role or another program would give, AWS's own command puts into the environment.
Formats: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html.
"""

import configparser
import os
from pathlib import Path

from penult.errors import SourceError
from penult.images.store_errors import GUIDE
from penult.util.text import one_line, quoted

_KEYS = {
    "access_key_id": "aws_access_key_id",
    "secret_access_key": "aws_secret_access_key",
    "session_token": "aws_session_token",
}
_OTHER_WAYS = ("sso_session", "sso_start_url", "role_arn", "credential_process", "login_session")
_IN_ENVIRONMENT = (  # what goes before profiles
    *("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
)
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


def profile_options() -> dict[str, str]:
    """What the profile of AWS adds to the environment, as options of obstore's S3Store.

    Raises:
        SourceError: There is no such profile, its files can't be read, or it holds no keys.
    """
    named = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE")
    name = named or "default"
    keys = _sections("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials").get(name, {})
    files = _sections("AWS_CONFIG_FILE", "~/.aws/config")
    settings = files.get(f"profile {name}", files.get(name, {}) if name == "default" else {})
    if named and not (keys or settings):
        raise SourceError(f"AWS has no profile {quoted(named)} (AWS_PROFILE): see {GUIDE}")
    options: dict[str, str] = {}
    if not any(map(os.environ.get, _IN_ENVIRONMENT)):
        both = {**settings, **keys}
        options = {ours: both[theirs] for ours, theirs in _KEYS.items() if both.get(theirs)}
        if not options and any(both.get(way) for way in _OTHER_WAYS):
            command = f"aws configure export-credentials --profile {one_line(name)} --format env"
            raise SourceError(
                f"the profile {quoted(name)} of AWS holds no keys itself: first run "
                f'eval "$({command})"'
            )
    if settings.get("region") and not any(map(os.environ.get, _REGIONS)):
        options["region"] = settings["region"]
    services = files.get(f"services {settings.get('services', '')}", {})
    endpoint = _nested(services.get("s3", "")).get("endpoint_url") or settings.get("endpoint_url")
    if endpoint and not any(map(os.environ.get, _ENDPOINTS)):
        options["endpoint"] = endpoint
    return options


def _sections(variable: str, usual: str) -> dict[str, dict[str, str]]:
    path = Path(os.environ.get(variable) or usual).expanduser()
    reader = configparser.RawConfigParser(default_section="", strict=False)
    try:
        reader.read_string(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, configparser.Error) as error:  # whose words may hold keys
        kind = type(error).__name__
    else:
        return {name: dict(reader[name]) for name in reader.sections()}
    raise SourceError(f"the profiles of AWS can't be read ({quoted(path)}: {kind})")


def _nested(text: str) -> dict[str, str]:
    """The settings below another one, each on a line of its own."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}
