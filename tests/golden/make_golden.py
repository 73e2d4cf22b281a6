#!/usr/bin/env python3
"""Makes tests/golden/bert: what PyTorch and transformers compute on a small BERT of random weights.

    make_golden.py [FOLDER]

Needs torch, transformers and safetensors (VERSIONS in the files' metadata); nothing is downloaded. All is computed in
float64 from weights that are float32, then stored: logits, losses and norms as F64, the rest as F32. Two runs on one kind
of machine give the same bytes.

model.safetensors, config.json   a classifier of odd sizes: 3 heads of 8, inner 40, 61 words, 37 positions, 3 token types
inputs.safetensors               four rows of 11, 7, 2 and 9 ids, padded on the right with id 4, which also stands in a text
expected.safetensors             loss, logits, hidden_states.N, grad.NAME
                                 logits.ACTIVATION: of the same weights with another hidden_act
                                 logits.cls, logits.mean: the head on other poolings
                                 frozen.losses, frozen.norms: ten AdamW steps, embeddings and layer 1 frozen
                                 trainer.losses, .norms, .rates: ten steps with warm-up, clipping and decay of matrices
"""
import json
import os
import sys

import safetensors.torch
import torch
import transformers
from torch.nn.functional import cross_entropy

SEED, PAD, CLASSES, STEPS = 20, 4, 5, 10
LENGTHS = (11, 7, 2, 9)
ACTIVATIONS = ("gelu", "relu", "silu", "gelu_pytorch_tanh", "tanh", "sigmoid")
CONFIG = dict(vocab_size=61, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
              hidden_act="gelu_new", max_position_embeddings=37, type_vocab_size=3, layer_norm_eps=1e-5, pad_token_id=PAD,
              num_labels=CLASSES, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1,
              attn_implementation="eager")
FROZEN = ("bert.embeddings.", "bert.encoder.layer.0.")


def inputs():
    random = torch.Generator().manual_seed(SEED)
    shape = len(LENGTHS), max(LENGTHS)
    mask = torch.arange(shape[1])[None, :] < torch.tensor(LENGTHS)[:, None]
    ids = torch.randint(5, CONFIG["vocab_size"], shape, generator=random)
    ids[0, 3] = PAD
    ids[:, 0] = 2
    types = torch.randint(CONFIG["type_vocab_size"], shape, generator=random)
    labels = torch.randint(CLASSES, shape[:1], generator=random)
    return dict(input_ids=torch.where(mask, ids, PAD), attention_mask=mask.long(),
                token_type_ids=torch.where(mask, types, 0)), labels


def new_model(activation=CONFIG["hidden_act"]):
    config = transformers.BertConfig(**(CONFIG | {"hidden_act": activation}))
    model = transformers.BertForSequenceClassification(config).eval()
    random = torch.Generator().manual_seed(SEED + 1)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=random)
            p.copy_(1 + 0.2 * noise if name.endswith("LayerNorm.weight") else 0.1 * noise if p.ndim == 1 else
                    0.3 * noise)
    return model


def loss_and_gradients(model, batch, labels):
    model.zero_grad()
    out = model(**batch, output_hidden_states=True)
    loss = cross_entropy(out.logits, labels)
    loss.backward()
    return loss, out


def norm_of(parameters):
    return torch.sqrt(sum((p.grad ** 2).sum() for p in parameters if p.grad is not None))


def frozen_curve(batch, labels):
    model = new_model().double()
    for name, p in model.named_parameters():
        p.requires_grad_(not name.startswith(FROZEN))
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.01)
    losses, norms = [], []
    for _ in range(STEPS):
        loss, _ = loss_and_gradients(model, batch, labels)
        losses.append(loss.item())
        norms.append(norm_of(trained).item())
        optimizer.step()
    losses.append(cross_entropy(model(**batch).logits, labels).item())
    return losses, norms


def trainer_curve(batch, labels):
    model = new_model().double()
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}],
                                  lr=2e-3, betas=(0.8, 0.99), eps=1e-6)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, 3, STEPS)
    losses, norms, rates = [], [], []
    for _ in range(STEPS):
        loss, _ = loss_and_gradients(model, batch, labels)
        losses.append(loss.item())
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item())
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    losses.append(cross_entropy(model(**batch).logits, labels).item())
    return losses, norms, rates


def main(folder):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    os.makedirs(folder, exist_ok=True)
    batch, labels = inputs()
    model = new_model()
    model.save_pretrained(folder)
    path = os.path.join(folder, "config.json")
    with open(path) as f:
        config = json.load(f)
    with open(path, "w") as f:
        json.dump({k: v for k, v in config.items() if k not in ("transformers_version", "_name_or_path")}, f, indent=2)
        f.write("\n")
    loss, out = loss_and_gradients(model.double(), batch, labels)
    real = batch["attention_mask"].bool()
    expected = {"loss": loss.detach(), "logits": out.logits.detach()}
    for i, state in enumerate(out.hidden_states):
        expected[f"hidden_states.{i}"] = torch.where(real[..., None], state, 0).detach().float()
    for name, p in model.named_parameters():
        expected["grad." + name] = p.grad.float()
    with torch.no_grad():
        last = out.hidden_states[-1]
        share = real.double() / real.sum(1, keepdim=True)
        expected["logits.cls"] = model.classifier(last[:, 0])
        expected["logits.mean"] = model.classifier((last * share[..., None]).sum(1))
        for activation in ACTIVATIONS:
            expected["logits." + activation] = new_model(activation).double()(**batch).logits
    for curve, parts in (("frozen", frozen_curve(batch, labels)), ("trainer", trainer_curve(batch, labels))):
        for part, values in zip(("losses", "norms", "rates"), parts):
            expected[f"{curve}.{part}"] = torch.tensor(values, dtype=torch.float64)
    made_by = {"torch": torch.__version__, "transformers": transformers.__version__}
    expected = {name: t.contiguous().clone() for name, t in expected.items()}
    safetensors.torch.save_file(expected, os.path.join(folder, "expected.safetensors"), metadata=made_by)
    safetensors.torch.save_file(batch | {"labels": labels}, os.path.join(folder, "inputs.safetensors"))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "bert"))
