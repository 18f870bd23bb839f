"""Stable Diffusion 1.x and 2.x: published weights, sampled as they are or fine-tuned.

paper: Rombach, Blattmann, Lorenz, Esser & Ommer 2022, High-Resolution Image Synthesis with Latent
  Diffusion Models, arXiv 2112.10752
command: python launch.py --config=configs/stable_diffusion.py --workdir=runs/sd --mode=sample
  --config.weights=DIR --config.sampler.prompt="a photo of a cat"
hardware: 2 CPU cores (AMD EPYC, shared), float32
time: at full size with random weights 12.7 s a guided step of 64 x 64 latents, 5.8 GB at most
  (benchmarks/stable_diffusion.py)
metric: equality with the reference implementation on its published test cases of tiny size: text
  encoder, autoencoder and U-Net, each sampler, and whole pipelines
reference: the images of the reference implementation
measured: equal within 1e-4 in float32
target: images equal to the reference's within 1e-4
again: python -m pytest tests/published
departs: in nothing that is known; the watermark and the safety checker are not part of it
status: unverified

DIR is a folder in diffusers' layout or an original checkpoint, .safetensors or .ckpt; nothing in
it is run. sampler.image and sampler.strength start from an image, sampler.mask fills a part of it.
`:unet` and `:lora` fine-tune on a folder of captioned pictures, --config.data.path=. They need less
memory with --config.remat=true, --config.dtype=bfloat16 and, for larger batches,
--config.optimizer.accumulate=4.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    tuned = dict(
        steps=1000,
        data=dict(name="folder", size=512, captions="clip"),
        show=dict(every=500, counts=dict(sample=1)),
        sampler=dict(prompt="a photo"),
    )
    return recipe(
        variant,
        dict(
            system="stable_diffusion",
            steps=0,
            batch_size=1,
            data=dict(name="none"),
            train="none",
            sampler=dict(name="", steps=50, guidance=6.5, prompt=""),
            show=dict(every=0, counts=dict(sample=1)),
            sample=dict(count=1),
            evaluate=dict(batch_size=1),
        ),
        smoke=dict(sampler=dict(steps=2)),
        unet=dict(train="unet", **tuned),
        lora=dict(train="lora", optimizer=dict(learning_rate=1e-4), **tuned),
    )
