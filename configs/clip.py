"""CLIP from published weights: openai's, OpenCLIP's, or any of transformers' CLIPModel.

paper: Radford et al. 2021, Learning Transferable Visual Models From Natural Language Supervision,
  arXiv 2103.00020
command: python launch.py --config=configs/clip.py --workdir=runs/clip --mode=evaluate
  --config.weights=PATH --config.data.name=cifar10 --config.data.size=224
data: any labelled images; captions are made from the names of the classes
hardware: none of ours with published weights
time: not measured yet
metric: equality with the reference implementations on their published test cases of tiny size:
  both image towers, the text tower, logits and loss, in both layouts
departs: in nothing that is known; pixels are resized by data.size, before training and evaluation
reference: the outputs of the reference implementations
measured: equal within 1e-9 in float64, 2e-5 in float32
target: outputs equal to the reference's within 2e-5
again: python -m pytest tests/published/test_clip_weights.py
status: unverified

PATH is a folder in transformers' layout (config.json, model.safetensors), or a file under the names
of openai/CLIP (.safetensors, .pt of a state dict); --config.activation=gelu for OpenCLIP's own
weights. A run with evaluate.clip=runs/clip is scored by it: evaluate.clip_score, evaluate.cmmd.
`:tuned` goes on training them on captioned pictures, --config.data.path=.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="clip",
            steps=0,
            batch_size=64,
            data=dict(name="none", captions="clip", template="a photo of a {}"),
            show=dict(every=0, counts=dict(sample=0)),
            evaluate=dict(zero_shot=1000, batch_size=64),
        ),
        smoke=dict(evaluate=dict(zero_shot=16)),
        tuned=dict(
            steps=1000,
            data=dict(name="folder", size=224),
            optimizer=dict(name="adamw", learning_rate=1e-5, warmup_steps=100, weight_decay=0.2),
            evaluate=dict(zero_shot=0, counts=dict(similarity=0)),
        ),
    )
