"""C-ViViT on films of the shapes world."""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="cvivit",
            steps=2800,
            batch_size=16,
            data=dict(name="shapes", frames=9, captions="words"),
            quantizer=dict(
                name="averaged", count=1024, width=16, beta=0.05,
                averaged=dict(decay=0.97, epsilon=1e-5, revive_below=0.25),
            ),
            likelihood="gaussian",
            network=dict(
                frames=4, patch=4, width=64, spatial=2, temporal=2, heads=2, hidden=256
            ),
            optimizer=dict(
                name="adam", learning_rate=2e-3, b2=0.99, warmup_steps=100, decay_steps=2800,
                clip_norm=1.0,
            ),
            show=dict(every=1000, counts=dict(sample=0, reconstruct=8)),
            evaluate=dict(
                counts=dict(distortion=1000), attributes=dict(reconstruct=500), split="test"
            ),
        ),
        smoke=dict(
            steps=4, batch_size=16, quantizer=dict(count=8, width=4),
            network=dict(frames=2, patch=8, width=8, spatial=1, temporal=1, heads=2, hidden=8),
            optimizer=dict(warmup_steps=0, decay_steps=0), show=dict(every=0),
            sample=dict(count=32),
            evaluate=dict(counts=dict(distortion=16), attributes=dict(reconstruct=16)),
        ),
    )  # fmt: skip
