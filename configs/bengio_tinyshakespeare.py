"""The neural language model of 2003 over the characters of tinyshakespeare.

paper: Bengio, Ducharme, Vincent & Jauvin 2003, A Neural Probabilistic Language Model, JMLR 3
command: python launch.py --config=configs/bengio_tinyshakespeare.py
  --workdir=runs/bengio_tinyshakespeare --config.data.path=input.txt
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 8 min 29 s
metric: nats per character over the whole last tenth of the text (111,540 characters, each
  predicted once in windows of 64 characters after nine); standard error over windows
reference: none for characters; gpt_tinyshakespeare and ngram_tinyshakespeare are beside it, and
  the latter with --config.order=3 --config.data.context=2: 2.0381 ± 0.0119 (measured here)
measured: 1.6766 ± 0.0077 nats per character
target: better than a trigram
again: python launch.py --workdir=runs/bengio_tinyshakespeare --mode=evaluate
status: toy
departs: characters in place of words, with a longer context and a wider hidden layer than the
  paper's; AdamW with a cosine decay in place of stochastic gradient descent

input.txt is data/tinyshakespeare of karpathy/char-rnn.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="bengio",
            steps=20_000,
            batch_size=32,
            data=dict(name="text", context=9, length=64),
            network=dict(order=10, embedding=30, width=300, direct=True),
            optimizer=dict(
                name="adamw", learning_rate=1e-3, decay_steps=20_000, weight_decay=1e-4,
            ),
            sampler=dict(length=500, prompt="\n", temperature=0.8, top_k=0, top_p=1.0),
            show=dict(every=5000, counts=dict(sample=4)),
            sample=dict(count=16),
            evaluate=dict(counts=dict(bound=0)),
        ),
        smoke=dict(
            steps=4, batch_size=16, data=dict(context=3, length=8),
            network=dict(order=4, embedding=4, width=8), sampler=dict(length=12),
            show=dict(every=0), evaluate=dict(counts=dict(bound=16)),
        ),
    )  # fmt: skip
