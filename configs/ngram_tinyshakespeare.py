"""n-grams of the characters of tinyshakespeare, counted, with modified Kneser-Ney smoothing.

paper: Chen & Goodman 1999, An Empirical Study of Smoothing Techniques for Language Modeling
command: python launch.py --config=configs/ngram_tinyshakespeare.py
  --workdir=runs/ngram_tinyshakespeare --config.data.path=input.txt
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 47 s
metric: nats per character over the whole last tenth of the text (111,540 characters, each
  predicted once from the five before it); standard error over windows of 1,024
reference: none for characters; gpt_tinyshakespeare and bengio_tinyshakespeare are beside it
measured: 1.5226 ± 0.0163 nats per character
target: probabilities that add up to 1; every character of the training split read (`unread` in
  metrics.jsonl falls to the test split's tenth)
again: python launch.py --workdir=runs/ngram_tinyshakespeare --mode=evaluate
status: toy
departs: characters in place of words, in one text without sentence ends

input.txt is data/tinyshakespeare of karpathy/char-rnn. Two batches hold the whole training split.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="ngram",
            steps=2,
            batch_size=512,
            order=6,
            data=dict(name="text", context=5, length=1024, stride=1024),
            sampler=dict(length=500, prompt="\n", temperature=1.0, top_k=0, top_p=1.0),
            report=dict(every=1),
            show=dict(every=2, counts=dict(sample=4)),
            sample=dict(count=16),
            evaluate=dict(counts=dict(bound=0)),
        ),
        smoke=dict(
            steps=4, batch_size=16, order=3, data=dict(context=3, length=8, stride=8),
            sampler=dict(length=12), show=dict(every=0), evaluate=dict(counts=dict(bound=16)),
        ),
    )  # fmt: skip
