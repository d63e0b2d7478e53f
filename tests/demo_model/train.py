"""Train the demo model: a Whisper of 1.45 million weights beside the vocabulary, on synthetic English and Thai speech.

    python -m tests.demo_model.train CORPUS_DIR OUT_DIR --steps 6000 --minutes 90
    python -m tests.demo_model.train CORPUS_DIR OUT_DIR --resume CHECKPOINT_DIR

Writes a Hugging Face Whisper checkpoint that `convert` turns into a CTranslate2 model. The vocabulary is Whisper's own
multilingual one, so that language detection, time stamps and prompts behave as they do with the published models;
tokens that the lexicon never uses keep a zero embedding, hence logit 0, and enter the loss as one constant term.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from faster_whisper.feature_extractor import FeatureExtractor
from torch import nn
from torch.nn import functional
from transformers import WhisperConfig, WhisperForConditionalGeneration

from tests.demo_model.mixer import Clip, Mixer
from tests.demo_model.synth import Utterance, load_corpus
from tests.demo_model.tokens import (
    EOT,
    LANG,
    NOSPEECH,
    NOTIMESTAMPS,
    SOT,
    SOT_PREV,
    TIMESTAMP0,
    TRANSCRIBE,
    VOCAB,
    build_tokenizer,
)

HEADS = 4
GUIDED = 2  # heads of cross-attention that are told where to listen
FRAMES = 50  # encoder frames a second
SPACE = 220  # the token of one space


def log_mel(audio: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
    """(clips, samples) float32 -> (clips, 80, frames), normalised as Whisper's feature extractor does."""
    spectrum = torch.stft(audio, 400, 160, window=torch.hann_window(400), return_complex=True)
    mel = torch.clamp(filters @ (spectrum[..., :-1].abs() ** 2), min=1e-10).log10()
    return (torch.maximum(mel, mel.amax(dim=(1, 2), keepdim=True) - 8.0) + 4.0) / 4.0


def encode(model: Any, mel: torch.Tensor) -> torch.Tensor:
    """The encoder on clips shorter than 30 s: the same weights, the first positions only."""
    encoder = model.model.encoder
    state = functional.gelu(encoder.conv1(mel))
    state = functional.gelu(encoder.conv2(state)).permute(0, 2, 1)
    state = state + encoder.embed_positions.weight[: state.shape[1]]
    for layer in encoder.layers:
        out = layer(state, attention_mask=None)
        state = out[0] if isinstance(out, tuple) else out
    return encoder.layer_norm(state)


def curriculum(step: int, progress: float, resumed: bool) -> tuple[float, int]:
    """Seconds of a clip and clips of a batch: short ones first, mixed lengths where a trained model goes on."""
    if resumed:
        return [(30.0, 8), (8.0, 24), (30.0, 8), (16.0, 14), (30.0, 8)][step % 5]
    stages = ((0.25, (5.0, 32)), (0.6, (10.0, 24)), (0.8, (18.0, 12)), (math.inf, (30.0, 8)))
    return next(stage for until, stage in stages if progress < until)


def learning_rate(step: int, progress: float, peak: float) -> float:
    """A warm-up of 300 steps, then half a cosine down to 2 % of `peak`."""
    return peak * min(1, (step + 1) / 300) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1, progress))))


@dataclass(frozen=True)
class Batch:
    mel: torch.Tensor  # (clips, 80, frames)
    inputs: torch.Tensor  # (clips, tokens), what the decoder is fed
    targets: torch.Tensor  # (clips, tokens), rows of the table, or -100 where nothing is learnt
    heard_at: torch.Tensor  # (clips, tokens, 2), seconds; 0, 0 where a token is not heard
    spoken: list[torch.Tensor]  # classes of the CTC head, a clip


class Trainer:
    """The model in training, with what is dropped afterwards.

    A CTC head on the encoder teaches it to hear long before cross-attention has found its alignment: that is what makes
    so short a training enough. Half of the heads of cross-attention are guided to where each token is heard: without it
    the decoder finds its way in 30 s windows of many phrases only after many hours. Guiding needs the plain attention.
    """

    def __init__(self, model: Any, corpus: Sequence[Utterance], mixer: Mixer, width: int) -> None:
        self.model = model
        spoken = {token for each in corpus for token in mixer.words(each.language, each.words)}
        special = {SOT, SOT_PREV, EOT, NOSPEECH, TRANSCRIBE, NOTIMESTAMPS, *LANG.values()}
        used = torch.tensor(sorted(special | spoken | set(range(TIMESTAMP0, TIMESTAMP0 + 1501))))
        self.used = used
        self.row = torch.full((VOCAB,), -1, dtype=torch.long)
        self.row[used] = torch.arange(len(used))
        self.table = nn.Parameter(model.model.decoder.embed_tokens.weight.detach()[used].clone())
        self.unused = math.log(VOCAB - len(used))  # the logit that stands for all others, whose own is 0
        self.ctc_class = torch.zeros(VOCAB, dtype=torch.long)  # 0: blank
        self.ctc_class[torch.tensor(sorted(spoken))] = torch.arange(1, len(spoken) + 1)
        self.ctc_head = nn.Linear(width, len(spoken) + 1)
        self.filters = torch.from_numpy(FeatureExtractor(feature_size=80).mel_filters.astype(np.float32))
        body = [
            weight
            for name, weight in model.named_parameters()
            if "embed_tokens" not in name and "proj_out" not in name and weight.requires_grad
        ]
        self.clipped = [*body, self.table]
        weights = [*self.clipped, *self.ctc_head.parameters()]
        self.optimizer = torch.optim.AdamW(weights, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01)
        self._use_plain_attention()
        model.train()

    def _use_plain_attention(self) -> None:
        plain = copy.deepcopy(self.model.config)
        plain._attn_implementation = "eager"
        for module in self.model.model.decoder.modules():
            if hasattr(module, "config"):
                module.config = plain

    def batch(self, clips: list[Clip]) -> Batch:
        """Clips of one length, padded to the longest of their tokens."""
        width = max(len(clip.tokens) for clip in clips) - 1
        inputs = torch.full((len(clips), width), EOT)
        targets = torch.full((len(clips), width), -100)
        heard_at = torch.zeros(len(clips), width, 2)
        for number, clip in enumerate(clips):
            count = len(clip.tokens) - 1
            heard_at[number, :count] = torch.tensor(clip.where[1:])
            fed = [LANG["en"] if token == NOSPEECH else token for token in clip.tokens]
            inputs[number, :count] = torch.tensor(fed[:-1])
            learnt = zip(clip.tokens, clip.learn, strict=True)
            wanted = torch.tensor([token if learn else -100 for token, learn in learnt][1:])
            targets[number, :count] = torch.where(wanted >= 0, self.row[wanted.clamp(min=0)], wanted)
        audio = torch.from_numpy(np.stack([clip.audio for clip in clips]))
        spoken = [self.ctc_class[torch.tensor(clip.spoken, dtype=torch.long)] for clip in clips]
        return Batch(log_mel(audio, self.filters), inputs, targets, heard_at, spoken)

    def step(self, batch: Batch, rate: float) -> np.ndarray:
        """One step down; returns the losses of attention, CTC and guide."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", dtype=torch.bfloat16):
            memory = encode(self.model, batch.mel)
            embedded = functional.embedding(self.row[batch.inputs].clamp(min=0), self.table)
            decoded = self.model.model.decoder(
                inputs_embeds=embedded, encoder_hidden_states=memory, use_cache=False, output_attentions=True
            )
        attention = self._attention_loss(decoded.last_hidden_state, batch)
        ctc = self._ctc_loss(memory, batch)
        guide = self._guide_loss(decoded.cross_attentions, memory.shape[1], batch)
        self.optimizer.zero_grad()
        (attention + 0.5 * ctc + 0.3 * guide).backward()
        nn.utils.clip_grad_norm_(self.clipped, 1.0)
        self.optimizer.step()
        return np.array([attention.item(), ctc.item(), guide.item()])

    def _attention_loss(self, state: torch.Tensor, batch: Batch) -> torch.Tensor:
        logits = state.float() @ self.table.T
        rest = torch.full((*logits.shape[:2], 1), self.unused)
        return functional.cross_entropy(torch.cat([logits, rest], dim=-1).flatten(0, 1), batch.targets.flatten())

    def _ctc_loss(self, memory: torch.Tensor, batch: Batch) -> torch.Tensor:
        frames = self.ctc_head(memory.float()).log_softmax(-1).transpose(0, 1)
        lengths = torch.full((len(batch.spoken),), frames.shape[0])
        counts = torch.tensor([len(classes) for classes in batch.spoken])
        return functional.ctc_loss(frames, torch.cat(batch.spoken), lengths, counts, zero_infinity=True)

    def _guide_loss(self, attentions: Sequence[torch.Tensor], frames: int, batch: Batch) -> torch.Tensor:
        """How much the guided heads of each layer listen elsewhere than where the token is heard."""
        guided = batch.heard_at[..., 1] > 0
        if not guided.any():
            return torch.zeros(())
        frame = torch.arange(frames) / FRAMES
        there = (frame >= batch.heard_at[..., :1]) & (frame < batch.heard_at[..., 1:])
        layers = []
        for weights in attentions:
            share = (weights[:, :GUIDED].float() * there[:, None]).sum(-1)
            layers.append(-torch.log(share + 1e-4).permute(0, 2, 1)[guided].mean())
        return torch.stack(layers).mean()

    def save(self, folder: Path) -> None:
        """The checkpoint, and the CTC head for a later --resume."""
        with torch.no_grad():
            weight = self.model.model.decoder.embed_tokens.weight
            weight.zero_()
            weight[self.used] = self.table
        self.model.save_pretrained(folder)
        torch.save(self.ctc_head.state_dict(), folder / "ctc_head.pt")


def new_model(width: int, encoder_layers: int, decoder_layers: int) -> Any:
    """A Whisper of that size with random weights."""
    return WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=VOCAB,
            num_mel_bins=80,
            d_model=width,
            encoder_layers=encoder_layers,
            decoder_layers=decoder_layers,
            encoder_attention_heads=HEADS,
            decoder_attention_heads=HEADS,
            encoder_ffn_dim=width * 4,
            decoder_ffn_dim=width * 4,
            max_source_positions=1500,
            max_target_positions=448,
            pad_token_id=EOT,
            bos_token_id=EOT,
            eos_token_id=EOT,
            decoder_start_token_id=SOT,
            suppress_tokens=[],
            begin_suppress_tokens=[SPACE, EOT],
        )
    )


def train(trainer: Trainer, mixer: Mixer, args: argparse.Namespace) -> None:
    """Step after step until their number or the time is used up, saved now and then."""
    started, running = time.monotonic(), None
    peak = args.peak or (7e-4 if args.resume else 1e-3)
    for step in range(args.steps):
        minutes = (time.monotonic() - started) / 60
        if minutes > args.minutes:
            break
        progress = max(step / args.steps, minutes / args.minutes)
        seconds, count = curriculum(step, progress, args.resume is not None)
        rate = learning_rate(step, progress, peak)
        losses = trainer.step(trainer.batch([mixer.clip(seconds) for _ in range(count)]), rate)
        running = losses if running is None else 0.98 * running + 0.02 * losses
        if step % 50 == 0:
            figures = ", ".join(f"{n} {v:.3f}" for n, v in zip(("attention", "ctc", "guide"), running, strict=True))
            print(f"step {step} {minutes:.1f} min, {seconds:.0f} s clips, rate {rate:.1e}, {figures}", flush=True)
        if step % 500 == 499:
            trainer.save(args.out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--encoder-layers", type=int, default=3)
    parser.add_argument("--decoder-layers", type=int, default=2)
    parser.add_argument("--resume", type=Path, help="a checkpoint to go on from")
    parser.add_argument("--peak", type=float, help="highest learning rate; default 1e-3, or 7e-4 with --resume")
    args = parser.parse_args()
    torch.manual_seed(0)
    corpus = load_corpus(args.corpus)
    mixer = Mixer(corpus, build_tokenizer(), seed=time.time_ns() % 2**31 if args.resume else 3)
    if args.resume:
        model = WhisperForConditionalGeneration.from_pretrained(args.resume)
    else:
        model = new_model(args.width, args.encoder_layers, args.decoder_layers)
    trainer = Trainer(model, corpus, mixer, model.config.d_model)
    if args.resume and (args.resume / "ctc_head.pt").exists():
        trainer.ctc_head.load_state_dict(torch.load(args.resume / "ctc_head.pt"))
    bodies = sum(weight.numel() for name, weight in model.named_parameters() if "embed_tokens" not in name)
    print(f"{len(trainer.used)} tokens used, {bodies:,} weights beside them")
    train(trainer, mixer, args)
    trainer.save(args.out)


if __name__ == "__main__":
    main()
