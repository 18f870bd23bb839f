"""RIDE on grey crops of two photographs; the MCGSM alone beside it.

paper: Theis & Bethge 2015, Generative Image Modeling Using Spatial LSTMs, arXiv 1506.03478
command: python launch.py --config=configs/ride_photographs.py --workdir=runs/ride_photographs
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 31 min, beside other runs
metric: bits a pixel, 8 - log2 p of dequantised pixels (one draw of the noise each: an upper bound),
  over the interior of all 130 crops of 32 x 32 of the photographs' last 160 columns, never trained
  on; a crop's states begin at zero
reference: `:mcgsm`, the mixture on the 12 pixels alone, without a spatial LSTM
measured: at most 2.819 ± .188; `:mcgsm` 2.888; the difference, crop by crop (benchmarks/paired.py),
  is -.069 (95 % interval -.081 to -.057)
target: fewer bits than `:mcgsm`
again: python launch.py --workdir=runs/ride_photographs --mode=evaluate
status: toy
departs: two photographs that come with scikit-learn (the paper: BSDS300, van Hateren, dead leaves);
  32 units (64 and more); 8 x 4 components (32 x 4 and more); Adam with a cosine decay (SGD with
  momentum at seven rates, L-BFGS between); the pixels' whitening is of the first batch

`:published` has the sizes of the paper's model of BSDS300, on 8 x 8 pixels and its optimizer
at the first of its rates.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="ride",
            steps=6000,
            batch_size=16,
            average=0.999,
            data=dict(name="photographs", size=32),
            network=dict(layers=1, units=32, components=8, scales=4, features=12),
            optimizer=dict(
                name="adam", learning_rate=3e-3, warmup_steps=100, decay_steps=6000, clip_norm=1.0
            ),
            show=dict(every=2000, counts=dict(sample=16, complete=8)),
            sample=dict(count=64),
            evaluate=dict(every=2000, counts=dict(log_prob=0), batch_size=26),
        ),
        mcgsm=dict(network=dict(layers=0)),
        published=dict(
            batch_size=50,
            data=dict(size=8),
            average=0.0,
            network=dict(layers=2, units=64, components=32, scales=4, features=32),
            optimizer=dict(name="sgd", learning_rate=0.5, momentum=0.9),
        ),
        smoke=dict(
            steps=4, data=dict(size=8),
            network=dict(layers=2, units=4, components=3, scales=2, features=5),
            show=dict(every=0), sample=dict(count=4),
            evaluate=dict(every=0, counts=dict(log_prob=16), batch_size=16),
        ),
    )  # fmt: skip
