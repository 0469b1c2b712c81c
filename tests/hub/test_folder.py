"""Folders as the hub keeps them: which weights are taken, and what is said of damaged ones."""

import json

import pytest

from penult.errors import CheckpointError
from penult.hub.folder import open_folder

CLIP = {"model_type": "clip"}
TIMM = {"architecture": "vit_small_patch14_dinov2"}
SHARDED = {"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}


@pytest.fixture
def folder(tmp_path):
    """Fills the folder with files: JSON of what is given, or of one byte."""

    def fill(*names, **documents):
        for name in names:
            (tmp_path / name).write_bytes(b"x")
        for name, value in documents.items():
            text = value if isinstance(value, str) else json.dumps(value)
            (tmp_path / f"{name}.json").write_text(text, "utf-8")
        return tmp_path

    return fill


@pytest.mark.parametrize(
    ("names", "documents", "library", "weights"),
    [
        (["model.safetensors", "pytorch_model.bin"], {"config": CLIP}, "transformers", 0),
        (["pytorch_model.bin", "tf_model.h5"], {"config": CLIP}, "transformers", 0),
        (["model.safetensors", "pytorch_model.bin"], {"config": TIMM}, "timm", 0),
        (["pytorch_model.bin"], {"config": TIMM}, "timm", 0),
        (["model.safetensors"], {}, None, 0),
        (["open_clip_model.safetensors"], {}, None, 0),
        # a timm tower beside the whole CLIP
        (
            ["model.safetensors", "open_clip_model.safetensors"],
            {"config": TIMM, "open_clip_config": {}},
            "timm",
            0,
        ),
        # older laion: two pickles
        (
            ["open_clip_pytorch_model.bin", "pytorch_model.bin"],
            {"config": CLIP, "open_clip_config": {}},
            "transformers",
            1,
        ),
        # safetensors of another library rather than a pickle of the first
        (
            ["open_clip_model.safetensors", "pytorch_model.bin"],
            {"config": CLIP, "open_clip_config": {}},
            "open_clip",
            0,
        ),
        (
            ["open_clip_pytorch_model.bin", "open_clip_pytorch_model.safetensors"],
            {"open_clip_config": {}},
            "open_clip",
            1,
        ),
        # an open_clip file without its settings isn't one that can be used
        (["open_clip_model.safetensors", "pytorch_model.bin"], {"config": CLIP}, "transformers", 1),
    ],
)
def test_weights_are_chosen(names, documents, library, weights, folder):
    found = open_folder(folder(*names, **documents))
    assert (found.library, found.weights.name) == (library, names[weights])
    assert found.config == documents.get("config", {})
    assert found.open_clip == documents.get("open_clip_config")


def test_a_text_tower_is_looked_for_where_there_is_one(folder):
    names = ["model.safetensors", "open_clip_model.safetensors"]
    path = folder(*names, config=TIMM, open_clip_config={"model_cfg": {}})
    assert open_folder(path, text=True).weights.name == names[1]
    (path / "open_clip_config.json").unlink()
    assert open_folder(path, text=True).weights.name == names[0]


def test_shards_are_all_there(folder):
    path = folder("model-1-of-2.safetensors", "pytorch_model.bin", config=CLIP)
    (path / "model.safetensors.index.json").write_text(json.dumps(SHARDED))
    with pytest.raises(CheckpointError, match=r"'model-2-of-2.safetensors', which .* missing"):
        open_folder(path)
    (path / "model-2-of-2.safetensors").touch()
    assert open_folder(path).weights.name == "model.safetensors.index.json"


@pytest.mark.parametrize(
    "name", ["../x.safetensors", "/x.safetensors", "a/b.safetensors", "x.bin", ".x.safetensors"]
)
def test_shards_are_beside_their_index_and_of_its_kind(name, folder):
    path = folder()
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(CheckpointError, match=r"index.json': weight_map names .*, expected NAME"):
        open_folder(path)


@pytest.mark.parametrize("value", [{}, {"weight_map": {}}, {"weight_map": None}])
def test_an_index_names_files(value, folder):
    path = folder()
    (path / "model.safetensors.index.json").write_text(json.dumps(value))
    with pytest.raises(CheckpointError, match=r"weight_map is missing or empty"):
        open_folder(path)


def test_a_tensor_with_an_endless_name_is_named_briefly(folder):
    path = folder()
    index = {"weight_map": {"\x1b" + "a" * 100_000: 5}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"a is a JSON number, expected a text") as caught:
        open_folder(path)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


def test_no_weights_are_said_to_be_missing_with_what_there_is(folder):
    with pytest.raises(CheckpointError, match=r"there are no weights$"):
        open_folder(folder(config=CLIP))
    with pytest.raises(CheckpointError, match=r"there is flax_model.msgpack, tf_model.h5: name on"):
        open_folder(folder("tf_model.h5", "flax_model.msgpack"))


def test_no_folder_is_said_so(tmp_path):
    with pytest.raises(CheckpointError, match=r"nowhere': no such file or directory"):
        open_folder(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ({}, None),
        ({"preprocessor_config": {"do_resize": True}}, {"do_resize": True}),
        ({"processor_config": {"image_processor": {"size": 3}}}, {"size": 3}),
        (
            {"processor_config": {"image_processor": {"size": 3}}, "preprocessor_config": {}},
            {"size": 3},
        ),
        (
            {"processor_config": {"image_seq_length": 1}, "preprocessor_config": {"size": 4}},
            {"size": 4},
        ),
        ({"processor_config": {"image_seq_length": 1}}, None),
    ],
)
def test_the_nested_preprocessor_wins(documents, expected, folder):
    found = open_folder(folder("model.safetensors", config=CLIP, **documents))
    assert found.preprocessor == expected


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("config", {"model_type": 5}, "model_type is a JSON number, expected a text"),
        ("config", {"architecture": [1]}, "architecture is a JSON list, expected a text"),
        ("config", [], "holds a JSON list, expected an object"),
        ("config", "true", "holds a JSON truth value, expected an object"),
        ("config", "", r"no proper JSON \(Expecting value"),
        ("config", '{"a": ' * 33 + "1" + "}" * 33, "deeper than 32 levels"),
        ("config", "[" * 200_000, "deeper than 32 levels"),
        ("config", '{"a": ' + "9" * 5000 + "}", r"no proper JSON \(Exceeds the limit"),
        ("config", " " * 10_000_001, "10000001 bytes, at most 10000000 expected"),
        ("open_clip_config", {"model_cfg": 1}, "model_cfg is a JSON number, expected an object"),
        ("open_clip_config", {"preprocess_cfg": ""}, "preprocess_cfg is a JSON text, expected"),
        ("processor_config", {"image_processor": [1]}, "image_processor is a JSON list, expected"),
        ("preprocessor_config", "null", "holds a JSON null, expected an object"),
    ],
)
def test_damaged_settings_are_named(name, value, message, folder):
    path = folder("model.safetensors", **{name: value})
    with pytest.raises(CheckpointError, match=rf"{name}.json': {message}.*fetch the file again$"):
        open_folder(path)


def test_settings_of_other_bytes_are_refused(folder):
    path = folder("model.safetensors")
    (path / "config.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(CheckpointError, match=r"no proper JSON \('utf-8' codec can't decode"):
        open_folder(path)


def test_settings_are_files(folder):
    path = folder("model.safetensors")
    (path / "config.json").mkdir()
    with pytest.raises(CheckpointError, match=r"not a regular file"):
        open_folder(path)
