"""Turn the trained checkpoint into the CTranslate2 folder that faster-whisper loads.

python -m tests.demo_model.convert CHECKPOINT_DIR MODEL_DIR [--quantization int8]
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from ctranslate2.converters import TransformersConverter
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from tests.demo_model.tokens import EOT, LANG, build_tokenizer

SPACE = 220  # the token of one space, which as the first one would be an empty transcript
HEADS = 4  # of cross-attention in each decoder layer
FEATURES = {"chunk_length": 30, "feature_size": 80, "hop_length": 160, "n_fft": 400, "sampling_rate": 16000}


def convert(checkpoint: Path, model: Path, tokenizer: Tokenizer, quantization: str) -> None:
    """Write the weights and the vocabulary; the converter wants a tokenizer beside the checkpoint."""
    end = "<|endoftext|>"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "hf"
        shutil.copytree(checkpoint, source)
        fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end, bos_token=end, unk_token=end)
        fast.save_pretrained(source)
        TransformersConverter(str(source)).convert(str(model), quantization=quantization, force=True)


def write_settings(model: Path, tokenizer: Tokenizer, decoder_layers: int) -> None:
    """The files beside the weights. Word times come from the heads of the last layer, which were guided in training."""
    config = {
        "alignment_heads": [[decoder_layers - 1, head] for head in range(HEADS)],
        "lang_ids": sorted(LANG.values()),
        "suppress_ids": [],
        "suppress_ids_begin": [SPACE, EOT],
    }
    (model / "config.json").write_text(json.dumps(config) + "\n")
    (model / "preprocessor_config.json").write_text(json.dumps(FEATURES) + "\n")
    tokenizer.save(str(model / "tokenizer.json"), pretty=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--quantization", default="int8")
    parser.add_argument("--decoder-layers", type=int, default=2)
    args = parser.parse_args()
    tokenizer = build_tokenizer()
    convert(args.checkpoint, args.model, tokenizer, args.quantization)
    write_settings(args.model, tokenizer, args.decoder_layers)
    for file in sorted(args.model.iterdir()):
        print(f"{file.stat().st_size:>10,}  {file.name}")


if __name__ == "__main__":
    main()
