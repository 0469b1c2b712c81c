"""Names of repositories of the Hugging Face hub, and short ones for the most wanted.

The rules are those of huggingface_hub (`utils/_validators.py`), for names with an owner; revisions
are branches, tags and commits as Git lets them be named.
"""

import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

SHORT: Mapping[str, str] = MappingProxyType(
    {
        "clip": "openai/clip-vit-base-patch32",
        "clip_base_16": "openai/clip-vit-base-patch16",
        "clip_large": "openai/clip-vit-large-patch14",
        "clip_large_336": "openai/clip-vit-large-patch14-336",
        "clip_laion": "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        "clip_laion_huge": "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        "fashion_clip": "patrickjohncyh/fashion-clip",
        "chinese_clip": "OFA-Sys/chinese-clip-vit-base-patch16",
        "siglip": "google/siglip-base-patch16-224",
        "siglip_so400m": "google/siglip-so400m-patch14-384",
        "siglip2": "google/siglip2-base-patch16-224",
        "siglip2_so400m": "google/siglip2-so400m-patch14-384",
        "dinov2_small": "facebook/dinov2-small",
        "dinov2_base": "facebook/dinov2-base",
        "dinov2_large": "facebook/dinov2-large",
        "dinov2_giant": "facebook/dinov2-giant",
        "dinov3_small": "facebook/dinov3-vits16-pretrain-lvd1689m",
        "dinov3_base": "facebook/dinov3-vitb16-pretrain-lvd1689m",
        "dinov3_large": "facebook/dinov3-vitl16-pretrain-lvd1689m",
        "dinov3_convnext_small": "facebook/dinov3-convnext-small-pretrain-lvd1689m",
        "vit_base": "google/vit-base-patch16-224",
        "vit_base_in21k": "google/vit-base-patch16-224-in21k",
        "mobilenetv3_small": "timm/mobilenetv3_small_100.lamb_in1k",
        "mobilenetv3_large": "timm/mobilenetv3_large_100.ra_in1k",
        "resnet50_a1": "timm/resnet50.a1_in1k",
    }
)

MAIN = "main"
_LONGEST_NAME = 96  # characters of owner/name, as the hub has it
_LONGEST_REVISION = 128
_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?|_[A-Za-z0-9._-]*[A-Za-z0-9_]|_"
_NAME = re.compile(rf"(?P<owner>{_WORD})/(?P<name>{_WORD})(?:@(?P<revision>\w[\w.+/-]*))?", re.A)
_COMMIT = re.compile("[0-9a-f]{40}")
_FILE = re.compile(
    r".*\.(git|safetensors|pth|pt|bin|ckpt|onnx|h5|keras|np[yz]|pkl|pickle|tar|gz|tgz|zip|json)",
    re.IGNORECASE,
)


class RepositoryName(NamedTuple):
    """A repository of the hub, at a branch, a tag or a commit.

    Attributes:
        owner: A person or an organisation.
        name: What they call it.
        revision: A branch, a tag or the 40 hexadecimal digits of a commit; "main" if none is said.
    """

    owner: str
    name: str
    revision: str = MAIN

    @property
    def repository(self) -> str:
        """Owner and name, as the hub has them."""
        return f"{self.owner}/{self.name}"

    @property
    def is_pinned(self) -> bool:
        """Whether it names a commit, of which there is one for ever."""
        return bool(_COMMIT.fullmatch(self.revision))

    def __str__(self) -> str:
        return self.repository if self.revision == MAIN else f"{self.repository}@{self.revision}"


def parse(name: str) -> RepositoryName | None:
    """Take `owner/name` or `owner/name@revision` apart.

    Args:
        name: What may name a repository. Case matters, as it does on the hub.

    Returns:
        None if it isn't a possible name there, if a file or folder has that name here, or if it
        ends as files of weights do: what may be a path never goes out as a question to the hub.

    >>> parse("facebook/dinov2-base@refs/pr/3")
    RepositoryName(owner='facebook', name='dinov2-base', revision='refs/pr/3')
    >>> parse("photos/2024--07") is None
    True
    """
    match = _NAME.fullmatch(name) if len(name) <= _LONGEST_NAME + _LONGEST_REVISION else None
    if not match:
        return None
    found = RepositoryName(match["owner"], match["name"], match["revision"] or MAIN)
    if (
        len(found.repository) > _LONGEST_NAME
        or "--" in found.repository
        or ".." in name
        or _FILE.fullmatch(found.name)
        or not _is_revision(found.revision)
        or os.path.lexists(name)
    ):
        return None
    return found


def _is_revision(name: str) -> bool:
    parts = name.split("/")
    return len(name) <= _LONGEST_REVISION and all(
        part and not part.startswith(".") and not part.endswith((".", ".lock")) for part in parts
    )
