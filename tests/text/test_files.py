"""Tokenizers of files beside weights; the files are small, or CLIP's own written out."""

import gzip
import json
from pathlib import Path

import pytest

from penult.errors import CheckpointError, UsageError
from penult.text import clip
from penult.text.files import GEMMA, load_tokenizer

HERE = Path(__file__).parent
ROWS = json.loads((HERE / "clip_bpe.json").read_text(encoding="utf-8"))["rows"]
TEXTS = [row["text"] for row in ROWS]
IDS = [row.get("transformers", row["open_clip"]) for row in ROWS]


def load_clip(folder, library="transformers"):
    return load_tokenizer(folder, library, "clip", 77, 49_408)


@pytest.fixture(scope="module")
def document():
    return json.loads(clip.transformers(77).encoder.to_str())


def write(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")


def test_tokenizer_json_of_clip(tmp_path, document):
    write(tmp_path / "tokenizer.json", document)
    tokenizer = load_clip(tmp_path)
    assert tokenizer.source == str(tmp_path / "tokenizer.json")
    assert tokenizer.ids(TEXTS) == IDS


def test_vocab_and_merges_of_clip(tmp_path, document):
    model = document["model"]
    write(tmp_path / "vocab.json", model["vocab"])
    lines = (pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"])
    write(tmp_path / "merges.txt", "#version: 0.2\n" + "\n".join(lines) + "\n")
    tokenizer = load_clip(tmp_path)
    assert tokenizer.source == str(tmp_path / "vocab.json")
    assert tokenizer.ids(TEXTS) == IDS


def test_clip_of_open_clip_takes_no_file(tmp_path, document):
    write(tmp_path / "tokenizer.json", document)
    assert load_clip(tmp_path, "open_clip").source == "CLIP's"


def test_clip_without_files_is_built_in(tmp_path):
    assert load_clip(tmp_path).ids(TEXTS) == IDS


def sentencepiece_rows(folder, kind, name):
    model = gzip.decompress((HERE / f"sentencepiece/{kind}.model.gz").read_bytes())
    (folder / name).write_bytes(model)
    return json.loads((HERE / f"sentencepiece/{kind}.json").read_text(encoding="utf-8"))


def test_spiece_model_of_siglip(tmp_path):
    rows = sentencepiece_rows(tmp_path, "siglip", "spiece.model")
    tokenizer = load_tokenizer(tmp_path, "transformers", "siglip", 64, 300)
    found = tokenizer.ids([row["text"] for row in rows])
    assert found == [[*row["ids"], 1] for row in rows]
    assert tokenizer.filled(found[0]) == found[0] + [1] * (64 - len(found[0]))
    assert tokenizer.ids(["A photo, of a CAT!"]) == tokenizer.ids(["a photo of a cat"])
    long = tokenizer.ids(["cat " * 100])[0]
    assert (len(long), long[-1]) == (64, 1)


def test_underscores_of_siglip_are_words_apart_in_open_clip_only(tmp_path):
    sentencepiece_rows(tmp_path, "siglip", "spiece.model")
    for library, joined in (("open_clip", "a b"), ("transformers", "ab")):
        tokenizer = load_tokenizer(tmp_path, library, "siglip", 64, 300)
        assert tokenizer.ids(["a_b"]) == tokenizer.ids([joined])


def test_sentencepiece_model_of_xlm_roberta(tmp_path):
    rows = sentencepiece_rows(tmp_path, "xlm_roberta", "sentencepiece.bpe.model")
    tokenizer = load_tokenizer(tmp_path, "open_clip", "roberta", 77, 302)
    rows = [row for row in rows if row["text"].isascii()]  # ftfy changes the others before
    expected = [[0, *(each + 1 if each else 3 for each in row["ids"]), 2] for row in rows]
    assert tokenizer.ids([row["text"] for row in rows]) == expected


def test_vocab_txt_of_bert(tmp_path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "雪", "地", "dog", "##s", "a"]
    write(tmp_path / "vocab.txt", "\n".join(words) + "\n")
    tokenizer = load_tokenizer(tmp_path, "transformers", "bert", 52, 10)
    assert tokenizer.ids(["雪地 DOGS á", "x"]) == [[2, 5, 6, 7, 8, 9, 3], [2, 1, 3]]
    write(tmp_path / "tokenizer_config.json", {"do_lower_case": False})
    cased = load_tokenizer(tmp_path, "transformers", "bert", 52, 10)
    assert cased.ids(["dogs DOGS"]) == [[2, 7, 8, 1, 3]]


def gemma(vocabulary):
    return {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": [], "unk_token": "<unk>"},
    }


def test_tokenizer_json_of_siglip_2(tmp_path):
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "▁", "a", "é", "!"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    vocabulary |= {f"word{index}": index for index in range(len(tokens), GEMMA)}
    write(tmp_path / "tokenizer.json", gemma(vocabulary))
    tokenizer = load_tokenizer(tmp_path, "transformers", "siglip", 64, GEMMA)
    (ids,) = tokenizer.ids(["A É!"])
    assert ids == [5, 4, 6, 7, 1]
    assert tokenizer.filled(ids)[5:] == [0] * 59
    of_open_clip = load_tokenizer(tmp_path, "open_clip", "siglip", 64, GEMMA)
    assert of_open_clip.ids(["A É!"]) == [[5, 4, 6, 1]]


@pytest.mark.parametrize(
    ("words", "vocabulary", "said"),
    [
        ("siglip", 32_000, "put spiece.model of google/siglip-base-patch16-224 beside"),
        ("siglip", GEMMA, "put tokenizer.json of google/siglip2-base-patch16-224 beside"),
        ("roberta", 250_002, "put tokenizer.json of FacebookAI/xlm-roberta-base beside"),
        ("bert", 21_128, "put vocab.txt of OFA-Sys/chinese-clip-vit-base-patch16 beside"),
        ("clip", 50_000, "put tokenizer.json of the repository of the weights beside"),
    ],
)
def test_missing_file_is_named_with_where_it_is(tmp_path, words, vocabulary, said):
    with pytest.raises(UsageError, match=said) as caught:
        load_tokenizer(tmp_path, "transformers", words, 64, vocabulary)
    assert "\n" not in str(caught.value)


def forged(document, **changes):
    return {**document, **changes}


SPLIT = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Removed", "invert": False}
TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "x", "type_id": 0}}],
    "special_tokens": {},
}
FORGED = {
    "a part": (lambda d: forged(d, normalizer={"type": "Python"}), "part 'Python'"),
    "a part inside": (
        lambda d: forged(d, normalizer={"type": "Sequence", "normalizers": [{"type": "Code"}]}),
        "part 'Code'",
    ),
    "a pattern": (lambda d: forged(d, pre_tokenizer=SPLIT), r"the pattern '\(a\+\)\+\$'"),
    "a pattern of another type": (
        lambda d: forged(d, pre_tokenizer=SPLIT | {"pattern": {"Regex": []}}),
        r"the pattern '\[\]'",
    ),
    "a kind of another type": (lambda d: forged(d, normalizer={"type": []}), "part"),
    "a token that isn't said": (lambda d: forged(d, post_processor=TEMPLATE), "doesn't say"),
    "a map": (
        lambda d: forged(d, normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
        "a map of characters that is none",
    ),
    "a model": (lambda d: forged(d, model={"type": "WordLevel", "vocab": {}}), "'WordLevel'"),
    "chance": (lambda d: forged(d, model={**d["model"], "dropout": 0.5}), "at random"),
    "ids": (lambda d: forged(d, model={**d["model"], "vocab": {"a": -1}}), "has the id '-1'"),
    "no ids": (lambda d: forged(d, model={**d["model"], "vocab": {}}), "no vocabulary"),
    "depth": (lambda d: "[" * 100_000, "no proper JSON"),
    "no JSON": (lambda d: "{", "no proper JSON"),
    "no object": (lambda d: "[]", "no JSON object"),
    "keys": (lambda d: '{"model": 1, "model": 2}', "the same key twice"),
    "a nested list": (lambda d: forged(d, normalizer=[1]), "is no object"),
    "a cut end": (lambda d: json.dumps(d)[:-2], "no proper JSON"),
    "merges": (
        lambda d: forged(d, model={**d["model"], "merges": [["qqqq", "x"]]}),
        "tokenizers can't use it",
    ),
    "many parts": (
        lambda d: forged(
            d, normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}] * 1000}
        ),
        "more than 50",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_strangers_tokenizer_is_refused_in_one_line(tmp_path, name):
    change, said = FORGED[name]
    write(tmp_path / "tokenizer.json", change(gemma({"a": 0, "<unk>": 1})))
    with pytest.raises(CheckpointError, match=said) as caught:
        load_clip(tmp_path)
    assert "\n" not in str(caught.value)
    assert "tokenizer.json" in str(caught.value)


def test_what_shows_only_with_a_text_is_one_line_too(tmp_path):
    model = {"type": "WordPiece", "vocab": {"a": 0}, "unk_token": "?"}
    model |= {"continuing_subword_prefix": "##", "max_input_chars_per_word": 9}
    write(tmp_path / "tokenizer.json", gemma({}) | {"model": model})
    tokenizer = load_tokenizer(tmp_path, "transformers", "bert", 52, 1)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json': tokenizers can't use it"):
        tokenizer.ids(["b"])


def test_vocabulary_of_another_size_is_refused(tmp_path, document):
    write(tmp_path / "tokenizer.json", document)
    with pytest.raises(CheckpointError, match=r"49,408 ids, the text tower's has 49,500"):
        load_tokenizer(tmp_path, "transformers", "clip", 77, 49_500)


@pytest.mark.parametrize("cut", [0, 1, 100, 5000])
def test_damaged_sentencepiece_model_is_refused(tmp_path, cut):
    sentencepiece_rows(tmp_path, "siglip", "spiece.model")
    path = tmp_path / "spiece.model"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CheckpointError) as caught:
        load_tokenizer(tmp_path, "transformers", "siglip", 64, 300)
    assert "\n" not in str(caught.value)
