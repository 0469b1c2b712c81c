"""The guide to Ray and the manifest for KubeRay say what is true."""

import re
import shlex
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.main import get_command

from penult.cli import app
from penult.runners import pool, ray, shards

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/guides/ray.md").read_text(encoding="utf-8")
LOCKED = (ROOT / "requirements/dev.txt").read_text(encoding="utf-8")


def of(required, **properties):
    """An object of these fields and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def every(kind):
    return {"type": "array", "items": kind, "minItems": 1}


TEXT, COUNT = {"type": "string"}, {"type": "integer", "minimum": 0}
TEXTS = {"type": "object", "additionalProperties": TEXT}  # numbers are refused there
RESOURCES = of("cpu memory", cpu=TEXT, memory=TEXT)
CONTAINER = of(
    "name image resources",
    name=TEXT,
    image=TEXT,
    resources=of("requests limits", requests=RESOURCES, limits=RESOURCES),
    env=every(of("name value", name=TEXT, value=TEXT)),
    volumeMounts=every(of("name mountPath", name=TEXT, mountPath=TEXT)),
)
CLAIM = of("claimName", claimName=TEXT)
VOLUMES = every(of("name persistentVolumeClaim", name=TEXT, persistentVolumeClaim=CLAIM))
POD = of("spec", spec=of("containers", containers=every(CONTAINER), volumes=VOLUMES))
JOB = of(  # of KubeRay's definitions, version ray.io/v1, the fields that the manifest uses
    "apiVersion kind metadata spec",
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=of("generateName", generateName=TEXT),
    spec=of(
        "entrypoint rayClusterSpec",
        entrypoint=TEXT,
        shutdownAfterJobFinishes={"type": "boolean"},
        backoffLimit=COUNT,
        rayClusterSpec=of(
            "headGroupSpec workerGroupSpecs",
            rayVersion=TEXT,
            authOptions=of("mode", mode={"enum": ["token", "disabled"]}),
            headGroupSpec=of("template", rayStartParams=TEXTS, template=POD),
            workerGroupSpecs=every(
                of(
                    "groupName template",
                    groupName=TEXT,
                    replicas=COUNT,
                    minReplicas=COUNT,
                    maxReplicas=COUNT,
                    rayStartParams=TEXTS,
                    template=POD,
                )
            ),
        ),
    ),
)


@pytest.fixture(scope="module")
def job():
    return yaml.safe_load((ROOT / "examples/kuberay.yaml").read_text(encoding="utf-8"))


def pods(job):
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [group["template"]["spec"] for group in groups]


def test_the_manifest_has_fields_of_kuberay(job):
    jsonschema.validate(job, JOB)


@pytest.mark.parametrize("wrong", [{"replica": 1}, {"replicas": "4"}, {"rayStartParams": {"a": 0}}])
def test_other_fields_are_found(job, wrong):
    other = deepcopy(job)
    other["spec"]["rayClusterSpec"]["workerGroupSpecs"][0] |= wrong
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(other, JOB)


def test_all_pods_mount_the_same_volume_in_the_same_place(job):
    for pod in pods(job):
        [container], [volume] = pod["containers"], pod["volumes"]
        assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": "/shared"}]
        assert volume == pods(job)[0]["volumes"][0]
        assert container["image"] == pods(job)[0]["containers"][0]["image"]


def test_the_manifest_is_for_the_ray_that_is_tested(job):
    version = job["spec"]["rayClusterSpec"]["rayVersion"]
    assert f"\nray=={version} " in LOCKED
    assert f"FROM rayproject/ray:{version}\n" in GUIDE


def test_an_extractor_fits_into_a_pod(job):
    requests = pods(job)[1]["containers"][0]["resources"]["requests"]
    room = int(requests["memory"].removesuffix("Gi")) * 2**30 * 0.7  # which Ray counts as memory
    assert room > int(requests["cpu"]) * 2 * ray.WORKER


def commands():
    job = yaml.safe_load((ROOT / "examples/kuberay.yaml").read_text(encoding="utf-8"))
    found = re.findall(r"^(?:\$ | {4})(penult extract .*)$", GUIDE, re.M)
    return [job["spec"]["entrypoint"], *found]


@pytest.mark.parametrize("line", commands())
def test_commands_are_understood(line):
    _, name, *rest = shlex.split(line)
    command = get_command(app).commands[name]
    parsed = command.make_context(name, rest).params
    assert parsed["ray"]
    assert parsed["sources"] == ("/shared/photos",)
    assert str(parsed["out"]).startswith("/shared/")


def test_numbers_of_the_guide_are_those_of_the_code():
    assert f"{shards.LEAST_ROWS:,} to {shards.MOST_ROWS:,} of them" in GUIDE
    assert f"{ray.WORKER >> 20} MB and twice the weights" in GUIDE
    assert pool.LOST_SECONDS < 30
    assert pool.WINDOW == 2  # at most two for each extractor


@pytest.mark.slow
def test_the_page_on_scaling_is_what_the_simulation_prints():
    page = (ROOT / "docs/benchmarks/scaling.md").read_text(encoding="utf-8")
    command = [sys.executable, ROOT / "benchmarks/cluster_simulation.py"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed in page
