"""Two stages on films of the shapes world: a C-ViViT, then Phenaki given the caption."""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

HERE = Path(__file__).parent


def get_config(variant=""):
    config = recipe(
        variant,
        dict(
            system="phenaki",
            steps=1800,
            batch_size=32,
            average=0.999,
            condition=dict(name="caption", text=dict(width=96, layers=2, heads=3, hidden=384)),
            condition_dropout=0.1,
            least=0.5,
            smoothing=0.1,
            network=dict(width=128, layers=4, heads=4, hidden=512, dropout=0.0),
            optimizer=dict(
                name="adamw", learning_rate=1e-3, b2=0.96, weight_decay=0.045, warmup_steps=100,
                decay_steps=1800,
            ),
            sampler=dict(
                steps=12, temperature=4.5, guidance=2.0, keep=1,
                prompts=("a small red cross moving right", "a small red cross moving left"),
            ),
            show=dict(every=1000, counts=dict(sample=8, inpaint=4, story=4)),
            evaluate=dict(attributes=dict(sample=500), stories=200, split="test"),
        ),
        frozen=dict(stages=dict(codes="runs/cvivit_shapes")),
        smoke=dict(
            steps=4, batch_size=16, condition=dict(text=dict(width=8, layers=1, heads=2, hidden=8)),
            network=dict(width=8, layers=1, heads=2, hidden=8),
            optimizer=dict(warmup_steps=0, decay_steps=0), sampler=dict(steps=3),
            show=dict(every=0, counts=dict(inpaint=0, story=0)), sample=dict(count=32),
            evaluate=dict(attributes=dict(sample=16), stories=16),
        ),
    )  # fmt: skip
    codes = load_config(f"{HERE}/cvivit_shapes.py:{'smoke' if variant == 'smoke' else ''}")
    config.data = codes.data  # One data set for both stages, however it is overridden.
    if variant != "frozen":
        config.stages.codes = codes
    return config
