"""A video pixel network on films of a moving digit, 16 x 16: 10 frames given, 10 predicted.

paper: Kalchbrenner et al. 2016, Video Pixel Networks, arXiv 1610.00527
command: python launch.py --config=configs/vpn_moving_digits.py --workdir=runs/vpn_moving_digits
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 21 min 41 s
metric: cross-entropy to grey frames in nats a frame, each predicted from the true ones before it,
  of the last 10 of 20 frames of 1,000 films of test digits
reference: measured on the same films: their entropy, which nothing is below, 13.46; the pixels'
  mean 56.89; the frame before, clipped to 0.05 .. 0.95, 48.24
measured: 15.49 ± 0.08; continued by its own frames, digits go on and bounce, and lose their shape
  after four to eight frames
target: below 20 nats a frame within 40 minutes
again: python launch.py --workdir=runs/vpn_moving_digits --mode=evaluate
status: toy
departs: digits of 8 x 8 on 16 x 16 pixels; width 12 (the paper: 128), 4 blocks of dilations 1, 2,
  1, 2 in the encoder (8) and 4 in the decoder (12); the frames before are known to the decoder's
  first layer; Adam with a cosine decay (RMSProp). What is drawn of a pixel is the grey value that
  its logit expects (the paper does not say); drawn black or white, digits vanish in a few frames

`:published` is Moving MNIST with the paper's sizes, 64 x 64 pixels and two digits: 87.6 nats a
frame there, 86.3 the entropy of its test films. The paper does not say how many features its LSTM
has.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="video_pixel_network",
            steps=2400,
            batch_size=8,
            average=0.99,
            data=dict(name="moving_digits", base="digits", size=16, frames=20, movers=1),
            known=10,
            output="sigmoid",
            encoder=dict(width=12, dilations=(1, 2, 1, 2)),
            decoder=dict(width=12, blocks=4, size=3, first_size=5),
            optimizer=dict(
                name="adam", learning_rate=2e-3, warmup_steps=50, decay_steps=2400, clip_norm=1.0
            ),
            sampler=dict(temperature=1.0, top_k=0, top_p=1.0),
            show=dict(every=600, counts=dict(sample=0, complete=8)),
            evaluate=dict(counts=dict(log_prob=1000), references=1000, batch_size=50),
        ),
        published=dict(
            steps=300_000,
            batch_size=64,
            data=dict(base="mnist", size=64, movers=2),
            encoder=dict(width=128, dilations=(1, 2, 4, 8, 1, 2, 4, 8)),
            decoder=dict(width=128, blocks=12, first_size=7),
            optimizer=dict(name="rmsprop", learning_rate=3e-4),
        ),
        smoke=dict(
            steps=4, data=dict(size=10, frames=4), known=2,
            encoder=dict(width=3, dilations=(1, 2)),
            decoder=dict(width=3, blocks=1, first_size=3),
            show=dict(every=0), evaluate=dict(counts=dict(log_prob=16), references=16),
        ),
    )  # fmt: skip
