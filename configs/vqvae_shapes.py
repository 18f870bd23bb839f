"""VQ-VAE on the shapes world: 64 codes a picture of 32 x 32, out of 256.

paper: van den Oord, Vinyals & Kavukcuoglu 2017, Neural Discrete Representation Learning,
  arXiv 1711.00937
command: python launch.py --config=configs/vqvae_shapes.py --workdir=runs/vqvae_shapes
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 12 min (Intel Xeon), 47 min beside other runs
metric: share of 1,000 scenes of unseen pairs of colour and shape whose reconstruction shows all
  that the scene does, by the judge of the shapes world; mean squared error (pixels -1 and 1)
departs: drawn scenes, 256 codes of 16 numbers that follow moving averages and restart when unused,
  32 and 64 channels, 6,000 steps at 1e-3 with a cosine decay; the paper has CIFAR10 and ImageNet,
  512 codes moved by the gradient of eq. 3, 256 channels, 250,000 steps at 2e-4
reference: none on these data
measured: 0.980 [0.969, 0.987] of the split `unseen` (shape 0.980, colour 0.999); squared error
  0.0021, all 256 codes in use; on the Xeon 0.967 [0.954, 0.976] and 0.0023. With 128 codes and
  3,000 steps 0.909 and 0.0056
target: at least 0.97 of the reconstructions show all; more than half of the codes in use
again: python launch.py --workdir=runs/vqvae_shapes --mode=evaluate
status: toy

The first stage of maskgit_shapes, paella_shapes and dalle_shapes, whose score its share bounds.
Pictures of a purple circle and of a green cross are held out: the split `unseen` has them alone.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="vqvae",
            steps=6000,
            batch_size=64,
            data=dict(name="shapes", captions="words"),
            quantizer=dict(
                name="averaged", count=256, width=16, beta=0.25,
                averaged=dict(decay=0.99, epsilon=1e-5, revive_below=0.5),
            ),
            likelihood="gaussian",
            network=dict(widths=(32, 64), blocks=2),
            optimizer=dict(name="adam", learning_rate=1e-3, decay_steps=6000),
            show=dict(every=2000, counts=dict(sample=0, reconstruct=16)),
            evaluate=dict(
                counts=dict(distortion=1000), attributes=dict(reconstruct=1000), split="unseen"
            ),
        ),
        smoke=dict(
            steps=4, batch_size=16, network=dict(widths=(4, 8), blocks=1),
            quantizer=dict(count=8, width=4), show=dict(every=0), sample=dict(count=32),
            evaluate=dict(counts=dict(distortion=16), attributes=dict(reconstruct=16)),
        ),
    )  # fmt: skip
