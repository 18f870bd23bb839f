"""GPT over the characters of tinyshakespeare, at nanoGPT's setting for a CPU.

paper: Radford et al. 2019, Language Models are Unsupervised Multitask Learners; the setting is of
  karpathy/nanoGPT, README, "I only have a macbook"
command: python launch.py --config=configs/gpt_tinyshakespeare.py
  --workdir=runs/gpt_tinyshakespeare --config.data.path=input.txt
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 3 min 54 s
metric: nats per character over the whole last tenth of the text (111,540 characters, each
  predicted once in windows of 64 characters after one); standard error over windows
reference: nanoGPT's README states 1.88 nats after 2,000 steps, estimated on 20 random batches
measured: 1.8997 ± 0.0054 nats per character
target: at most 1.90 nats per character
again: python launch.py --workdir=runs/gpt_tinyshakespeare --mode=evaluate
status: toy
departs: characters in place of byte pairs, and nanoGPT's sizes and rates (0.8 million parameters,
  AdamW's b2 0.99, cosine decay to a tenth); beyond nanoGPT, the parameters judged are a moving
  average, and the first character of a window is learned, too

input.txt is data/tinyshakespeare of karpathy/char-rnn.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="gpt",
            steps=2000,
            batch_size=12,
            average=0.99,
            data=dict(name="text", context=1, length=64),
            network=dict(width=128, layers=4, heads=4, dropout=0.0, bias=False),
            optimizer=dict(
                name="adamw", learning_rate=1e-3, warmup_steps=100, decay_steps=2000,
                final_rate=1e-4, b1=0.9, b2=0.99, weight_decay=0.1, clip_norm=1.0,
            ),
            sampler=dict(length=500, prompt="\n", temperature=0.8, top_k=0, top_p=1.0),
            show=dict(every=500, counts=dict(sample=4)),
            sample=dict(count=16),
            evaluate=dict(counts=dict(bound=0)),
        ),
        smoke=dict(
            steps=4, batch_size=16, data=dict(length=8), network=dict(width=8, layers=2, heads=2),
            sampler=dict(length=12), show=dict(every=0), evaluate=dict(counts=dict(bound=16)),
        ),
    )  # fmt: skip
