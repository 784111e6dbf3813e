"""Scorers of a few thousand random weights, laid out as the published ones are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

WORDS = ["no", "acute", "mild", "effusion", "right", "left", "lung", "heart", "size", "normal", "is", "the", "pleural"]
WORDS += ["##s", "##a", "opacity", "lobe", ".", ",", "(", ")", "/", "2"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
BERT = {
    "model_type": "bert",
    "vocab_size": len(SPECIAL) + len(WORDS),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 512,
    "initializer_range": 1.0,
}
ENTITIES = ["", "Anatomy::definitely present", "Observation::definitely present", "Observation::definitely absent"]
RELATIONS = ["", "located_at", "modify", "suggestive_of"]


def write_encoder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(BERT))
    (folder / "vocab.txt").write_text("\n".join([*SPECIAL, *WORDS]) + "\n")


def radgraph_config(encoder: str) -> dict:
    return {
        "dataset_reader": {
            "max_span_width": 3,
            "token_indexers": {"bert": {"model_name": encoder, "max_length": 64}},
        },
        "model": {
            "type": "dygie",
            "embedder": {"token_embedders": {"bert": {"model_name": encoder, "max_length": 64}}},
            "initializer": {},
            "module_initializer": {},
            "feature_size": 4,
            "max_span_width": 3,
            "target_task": "relation",
            "feedforward_params": {"num_layers": 1, "hidden_dims": 8, "dropout": 0.4},
            "loss_weights": {"ner": 0.2, "relation": 1.0, "coref": 0.0, "events": 0.0},
            "modules": {
                "ner": {},
                "relation": {"spans_per_word": 0.5},
                "coref": {"spans_per_word": 0.3, "max_antecedents": 10},
                "events": {
                    "trigger_spans_per_word": 0.3,
                    "argument_spans_per_word": 0.8,
                    "loss_weights": {"trigger": 0.0, "arguments": 0.0},
                },
            },
        },
        "vocabulary": {},
    }


def write_radgraph(folder: Path, name: str = "radgraph-xl") -> Path:
    """Write a model without its weights, which radgraph itself has to make."""
    model = folder / name
    write_encoder(model / "encoder")
    (model / "config.json").write_text(json.dumps(radgraph_config("owner/some-encoder")))
    (model / "vocabulary").mkdir()
    (model / "vocabulary" / "non_padded_namespaces.txt").write_text("*tags\n*labels\n")
    for kind, labels in (("ner", ENTITIES), ("relation", RELATIONS)):
        (model / "vocabulary" / f"{name}__{kind}_labels.txt").write_text("\n".join(labels) + "\n")
    return model


REFERENCE = """
import json, sys
import torch
from transformers import PreTrainedTokenizerBase as Tokenizer
Tokenizer.encode_plus = lambda self, text, pair=None, **rest: self(text, pair, **rest)
Tokenizer.build_inputs_with_special_tokens = lambda self, ids: [self.cls_token_id] + ids + [self.sep_token_id]
from radgraph import F1RadGraph
from radgraph.dygie.models.dygie import DyGIE

folder, name, weights, asked, answered = sys.argv[1:]
read, fill = torch.load, DyGIE.load_state_dict
torch.load = lambda *_, **__: None
DyGIE.load_state_dict = lambda self, state, strict: torch.save(self.state_dict(), weights)
torch.manual_seed(3)
F1RadGraph("all", model_type=name, model_cache_dir=folder, cuda=-1)
torch.load, DyGIE.load_state_dict = read, fill
hypotheses, references = json.load(open(asked))
scorer = F1RadGraph("all", model_type=name, model_cache_dir=folder, cuda=-1)
_, rewards, of_hypotheses, of_references = scorer(refs=references, hyps=hypotheses)
json.dump([rewards, of_hypotheses, of_references], open(answered, "w"))
"""


def make_weights_and_score(model: Path, scratch: Path, hypotheses: list[str], references: list[str]) -> list:
    """Let radgraph alone, in a process of its own, draw the weights and score: rewards [3][N], and annotations."""
    layout = scratch / model.name
    layout.mkdir(parents=True)
    (layout / "config.json").write_text(json.dumps(radgraph_config(str(model / "encoder"))))
    (layout / "vocabulary").symlink_to(model / "vocabulary")
    (layout / "weights.th").symlink_to(model / "weights.th")
    asked, answered = scratch / "asked.json", scratch / "answered.json"
    asked.write_text(json.dumps([hypotheses, references]))
    arguments = [scratch, model.name, model / "weights.th", asked, answered]
    subprocess.run([sys.executable, "-c", REFERENCE, *map(str, arguments)], check=True, capture_output=True)
    (model / "vocabulary" / ".lock").unlink(missing_ok=True)
    return json.loads(answered.read_text())


def write_chexbert(folder: Path, *, without: str | None = None, extra: str | None = None, poison: bool = False) -> Path:
    """Write a labeler as it is published: under `model_state_dict`, behind `module.`, with the pooler."""
    import torch
    from transformers import BertConfig, BertModel

    model = folder / "chexbert"
    write_encoder(model)
    torch.manual_seed(5)
    state = {f"module.bert.{name}": value for name, value in BertModel(BertConfig(**BERT)).state_dict().items()}
    for head, classes in enumerate([4] * 13 + [2]):
        state[f"module.linear_heads.{head}.weight"] = 3 * torch.randn(classes, 16)
        state[f"module.linear_heads.{head}.bias"] = torch.randn(classes)
    state["module.bert.embeddings.position_ids"] = torch.arange(512)[None]
    if without:
        del state[without]
    if extra:
        state[extra] = torch.zeros(2)
    if poison:
        state["module.linear_heads.0.bias"][0] = torch.nan
    torch.save({"epoch": 3, "model_state_dict": state}, model / "chexbert.pth")
    return model
