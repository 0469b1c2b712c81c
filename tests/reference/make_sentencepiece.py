"""Make tests/text/sentencepiece: two small models, and what SentencePiece makes of texts.

Needs the package sentencepiece; made with 0.2.3. The models were trained on this repository's
guides, one with the special pieces of SigLIP's, one with those of XLM-R's.
"""

import gzip
import json
import tempfile
from pathlib import Path

import sentencepiece

HERE = Path(__file__).parent
OUT = HERE.parent / "text" / "sentencepiece"
KINDS = {
    "siglip": {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1},
    "xlm_roberta": {"unk_id": 0, "bos_id": 1, "eos_id": 2, "pad_id": -1},
}
TEXTS = (
    "a photo of a cat",
    "the features of one image",
    "straße café ünïcode",
    "ﬁne ﬂuﬀy ligatures ①",
    "日本 語 and words",
    "☃☃ twice ☃ once ☃",
    "\uff46\uff55\uff4c\uff4c width",
    "zero\u200bwidth and no\u00a0break",
    "",
)


def main() -> None:
    """Train, encode, write."""
    OUT.mkdir(exist_ok=True)
    guides = sorted((HERE.parents[1] / "docs").rglob("*.md"))
    lines = [line.lower() for path in guides for line in path.read_text("utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus.txt"
        corpus.write_text("\n".join(filter(str.strip, lines)), "utf-8")
        for kind, special in KINDS.items():
            prefix = str(Path(folder) / kind)
            sentencepiece.SentencePieceTrainer.train(
                input=str(corpus), model_prefix=prefix, vocab_size=300, model_type="unigram",
                character_coverage=0.995, normalization_rule_name="nmt_nfkc", **special,
            )  # fmt: skip
            processor = sentencepiece.SentencePieceProcessor()
            processor.Load(f"{prefix}.model")
            rows = [{"text": text, "ids": processor.encode(text)} for text in TEXTS]
            model = gzip.compress(Path(f"{prefix}.model").read_bytes(), mtime=0)
            (OUT / f"{kind}.model.gz").write_bytes(model)
            (OUT / f"{kind}.json").write_text(json.dumps(rows) + "\n", "utf-8")


if __name__ == "__main__":
    main()
