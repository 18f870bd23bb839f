"""WaveNet of a given digit, on recordings of spoken digits at 8 kHz.

paper: van den Oord et al. 2016, WaveNet: A Generative Model for Raw Audio, arXiv 1609.03499
command: python launch.py --config=configs/wavenet_fsdd.py --workdir=runs/wavenet_fsdd
  --config.data.path=recordings
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 14 min 48 s
metric: nats per sample (256 mu-law symbols) over all samples of the recordings numbered 0 to 4,
  each predicted once after 1,024 samples of context or silence; standard error over windows
reference: the first loss is ln 256 = 5.545, the loss of knowing nothing; on the same samples
  (measured here, by counting) symbols alone have 4.98, pairs 3.78, triples 3.59
measured: 3.186 ± 0.068 nats per sample: the target is missed; words' loudness and pauses, no
  vowels yet
target: below 2.5 nats per sample
again: python launch.py --workdir=runs/wavenet_fsdd --mode=evaluate
status: unverified
departs: one stack of dilations where the paper repeats it, 32 features, 8 kHz (the paper: at
  least 16); a cosine decay; the condition is a digit, not a speaker or a text

recordings is the folder of Jakobovski/free-spoken-digit-dataset, 3,000 wav files.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="wavenet",
            steps=2000,
            batch_size=4,
            conditional=True,
            data=dict(name="wav", rate=8000, context=1024, length=2048),
            network=dict(
                dilations=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512), width=32, skip=128,
            ),
            optimizer=dict(name="adam", learning_rate=1e-3, decay_steps=2000, clip_norm=1.0),
            average=0.999,
            sampler=dict(length=4000, temperature=1.0, top_k=0, top_p=1.0),
            show=dict(every=1000, counts=dict(sample=10)),
            sample=dict(count=10),
            evaluate=dict(counts=dict(bound=0), batch_size=10),
        ),
        smoke=dict(
            steps=4, batch_size=16, data=dict(context=8, length=16),
            network=dict(dilations=(1, 2, 4), width=4, skip=8), sampler=dict(length=12),
            show=dict(every=0), sample=dict(count=3), evaluate=dict(counts=dict(bound=16)),
        ),
    )  # fmt: skip
